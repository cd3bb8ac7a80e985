//! The forward pass: each element of y as its sum.

use super::inputs::Inputs;
use super::{Position, Tap, at};
use crate::cpu::element::{Compute, Element};
use crate::cpu::forward::{ForwardPointers, bias_at};
use crate::cpu::share::share;
use crate::cpu::sum::Sum;
use crate::error::Result;
use crate::exec::Team;
use crate::problem::Problem;

struct Run<'a, T: Element> {
    inputs: Inputs<'a, T>,
    tensors: ForwardPointers<T>,
}

// SAFETY: inputs are read, and each output element is computed once.
unsafe impl<T: Element> Sync for Run<'_, T> {}

/// Computes y.
///
/// # Safety
///
/// The pointers are what [`ForwardPointers`] says for `problem`, but for `packed`, which is not looked at; outputs
/// overlap nothing.
pub unsafe fn run<T: Element>(
    problem: &Problem,
    workers: usize,
    tensors: ForwardPointers<T>,
    team: &Team,
) -> Result<()> {
    let ForwardPointers { x, offset, mask, weight, .. } = tensors;
    let run = Run { inputs: Inputs { problem, x, offset, mask, weight }, tensors };
    let g = &problem.geometry;
    share(team, workers, (g.n * g.o * g.out_h) as usize, &|_, row| {
        // SAFETY: each row is one unit's.
        unsafe { run.row(row as i64) };
    })
}

impl<T: Element> Run<'_, T> {
    /// Computes row `row` of N * O * Ho rows of y.
    unsafe fn row(&self, row: i64) {
        let problem = self.inputs.problem;
        let g = &problem.geometry;
        let (n, o, p) = (row / (g.o * g.out_h), row / g.out_h % g.o, row % g.out_h);
        for q in 0..g.out_w {
            // SAFETY: n, o, p, q is an element of y.
            unsafe {
                let value = self.output(o, Position { n, p, q });
                *self.tensors.y.offset(at(&problem.y, [n, o, p, q])) = T::from_compute(value.canonical());
            }
        }
    }

    unsafe fn output(&self, o: i64, position: Position) -> T::Compute {
        let problem = self.inputs.problem;
        let g = &problem.geometry;
        let first_channel = o / g.outputs_per_group() * g.channels_per_group();
        let mut sum = Sum::new();
        for i in 0..g.kernel_h {
            for j in 0..g.kernel_w {
                for c in first_channel..first_channel + g.channels_per_group() {
                    let tap = Tap { i, j };
                    // SAFETY: c is a channel of the group of o.
                    unsafe { sum.add(self.inputs.weight(o, c, tap) * self.inputs.column(c, tap, position)) };
                }
            }
        }
        match &problem.bias {
            // SAFETY: o is an element of bias.
            Some(bias) => unsafe { sum.total() + bias_at::<T>(bias, self.tensors.bias, o) },
            None => sum.total(),
        }
    }
}
