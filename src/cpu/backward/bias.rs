//! grad_bias: grad_y summed over images and positions.

use super::super::kernels::{CopyArgs, HasKernels};
use super::super::share::share;
use super::super::sum::Sum;
use super::outputs::at;
use super::{Run, store};
use crate::abi::*;
use crate::cpu::element::Compute;
use crate::error::Result;
use crate::exec::Team;
use crate::plan::maps::is_planes;

/// Positions that are added up together.
const RUN: usize = 1024;
/// Chains of additions side by side.
const LANES: usize = 16;

impl<T: HasKernels> Run<'_, T> {
    /// Writes grad_bias, if it is wanted; 0 where there is no image.
    pub(super) unsafe fn bias(&self, team: &Team) -> Result<()> {
        if self.tensors.grad_bias.is_null() {
            return Ok(());
        }
        let g = &self.plan.problem.geometry;
        share(team, self.plan.workers, g.o as usize, &|_, o| {
            let mut sum = Sum::new();
            for n in 0..g.n as usize {
                // SAFETY: a plane of grad_y.
                unsafe { self.add_plane(n, o, &mut sum) };
            }
            let at = o as isize * self.plan.problem.grad_bias.strides[0] as isize;
            // SAFETY: each unit writes its own element.
            unsafe { store(sum.total(), self.tensors.grad_bias.offset(at), self.tensors.adds_to(DCN_GRAD_BIAS)) };
        })
    }

    /// Adds up the plane of an output channel, run by run.
    unsafe fn add_plane(&self, n: usize, o: usize, sum: &mut Sum<T::Compute>) {
        let tensor = &self.plan.problem.grad_y;
        let (all, out_w) = (self.plan.problem.geometry.positions() as usize, tensor.dims[3] as usize);
        let mut run = [T::Compute::ZERO; RUN];
        for first in (0..all).step_by(RUN) {
            let run = &mut run[..RUN.min(all - first)];
            // SAFETY: positions of the plane.
            unsafe {
                let element = |p: usize| self.tensors.grad_y.offset(at(tensor, [n, o, p / out_w, p % out_w]));
                if is_planes(tensor) {
                    let from = element(0).add(first);
                    (self.plan.kernels.widen)(&CopyArgs::row(run.len(), from, run.as_mut_ptr()));
                } else {
                    (first..).zip(run.iter_mut()).for_each(|(p, value)| *value = (*element(p)).to_compute());
                }
            }
            sum.add(sum_of(run));
        }
    }
}

/// The sum of a run, in LANES chains side by side.
fn sum_of<C: Compute>(run: &[C]) -> C {
    let (whole, rest) = run.as_chunks::<LANES>();
    let mut sums = [C::ZERO; LANES];
    for values in whole {
        sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum += value);
    }
    sums.iter_mut().zip(rest).for_each(|(sum, &value)| *sum += value);
    sums.into_iter().fold(C::ZERO, |total, sum| total + sum)
}
