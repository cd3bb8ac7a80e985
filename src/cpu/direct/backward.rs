//! The backward pass: each element of the gradients of offset, mask, weight and bias as its sum; grad_x is apart.

use super::inputs::Inputs;
use super::{Position, Tap, at};
use crate::abi::*;
use crate::cpu::backward::{BackwardPointers, store};
use crate::cpu::element::{Compute, Element};
use crate::cpu::share::share;
use crate::cpu::sum::Sum;
use crate::error::Result;
use crate::exec::Team;
use crate::plan::direct::backward::GradXMap;
use crate::problem::{Problem, Tensor};
use std::array;

pub(super) struct Run<'a, T: Element> {
    pub(super) inputs: Inputs<'a, T>,
    pub(super) tensors: BackwardPointers<T>,
    pub(super) map: &'a GradXMap,
}

// SAFETY: inputs are read; tasks write disjoint elements of the gradients and disjoint parts of the workspace.
unsafe impl<T: Element> Sync for Run<'_, T> {}

/// Computes the gradients that are wanted.
///
/// # Safety
///
/// The pointers are what [`BackwardPointers`] says for `problem`, but for `packed`, which is not looked at; the
/// workspace has the map's size, outputs overlap nothing.
pub unsafe fn run<T: Element>(
    problem: &Problem,
    workers: usize,
    map: &GradXMap,
    tensors: BackwardPointers<T>,
    team: &Team,
) -> Result<()> {
    let BackwardPointers { x, offset, mask, weight, .. } = tensors;
    let run = Run { inputs: Inputs { problem, x, offset, mask, weight }, tensors, map };
    let g = &problem.geometry;
    // SAFETY: the indices exist, and each unit has its own elements.
    unsafe {
        if !tensors.grad_offset.is_null() || !tensors.grad_mask.is_null() {
            let rows = g.n * g.deformable_groups * g.taps() * g.out_h;
            share(team, workers, rows as usize, &|_, row| run.samples(row as i64))?;
        }
        if !tensors.grad_weight.is_null() {
            share(team, workers, problem.weight.elements() as usize, &|_, element| run.weight(element as i64))?;
        }
        if !tensors.grad_bias.is_null() {
            share(team, workers, g.o as usize, &|_, o| run.bias(o as i64))?;
        }
        if !tensors.grad_x.is_null() {
            run.grad_x(workers, team)?;
        }
    }
    Ok(())
}

impl<T: Element> Run<'_, T> {
    /// The gradients of offset and mask in row `row` of N * D * K * Ho rows.
    unsafe fn samples(&self, row: i64) {
        let (problem, tensors) = (self.inputs.problem, &self.tensors);
        let g = &problem.geometry;
        let (image, p) = (row / g.out_h, row % g.out_h);
        let (n, channel) = (image / (g.deformable_groups * g.taps()), image % (g.deformable_groups * g.taps()));
        let (deformable_group, tap) = (channel / g.taps(), channel % g.taps());
        let tap = Tap { i: tap / g.kernel_w, j: tap % g.kernel_w };
        for q in 0..g.out_w {
            // SAFETY: an element of the gradient of mask, and both elements of that of offset.
            unsafe {
                let [by_y, by_x, by_mask] = self.sample_gradients(deformable_group, tap, Position { n, p, q });
                if !tensors.grad_offset.is_null() {
                    for (axis, value) in [by_y, by_x].into_iter().enumerate() {
                        let to =
                            tensors.grad_offset.offset(at(&problem.grad_offset, [n, 2 * channel + axis as i64, p, q]));
                        self.store(value, to, DCN_GRAD_OFFSET);
                    }
                }
                if let Some(grad_mask) = problem.grad_mask.as_ref().filter(|_| !tensors.grad_mask.is_null()) {
                    let to = tensors.grad_mask.offset(at(grad_mask, [n, channel, p, q]));
                    self.store(by_mask, to, DCN_GRAD_MASK);
                }
            }
        }
    }

    /// What a sample's offsets and mask are to be changed by: exactly 0 where it is not in range.
    unsafe fn sample_gradients(&self, deformable_group: i64, tap: Tap, position: Position) -> [T::Compute; 3] {
        let per_group = self.inputs.problem.geometry.channels_per_deformable_group();
        let first = deformable_group * per_group;
        // SAFETY: the channels are the deformable group's, corners are pixels of the image.
        unsafe {
            let Some(sample) = self.inputs.sample(first, tap, position) else {
                return [T::Compute::ZERO; 3];
            };
            // Of the corners' values times the column gradient, over channels; a corner outside counts exactly 0.
            let mut dots: [_; 4] = array::from_fn(|_| Sum::new());
            for c in first..first + per_group {
                let gcol = self.column_gradient(c, tap, position);
                for corner in sample.corners(self.inputs.size()) {
                    let value = self.inputs.pixel([position.n, c, corner.row, corner.column]);
                    dots[corner.number].add(gcol * value);
                }
            }
            let [value, by_y, by_x] = sample.value_and_slopes(dots.map(|dot| dot.total()));
            let mask = self.inputs.mask(first, tap, position);
            [mask * by_y, mask * by_x, value]
        }
    }

    /// An element of the column gradient: weight * grad_y, summed over the output channels of c's group.
    pub(super) unsafe fn column_gradient(&self, c: i64, tap: Tap, Position { n, p, q }: Position) -> T::Compute {
        let problem = self.inputs.problem;
        let g = &problem.geometry;
        let first = c / g.channels_per_group() * g.outputs_per_group();
        let mut sum = Sum::new();
        for o in first..first + g.outputs_per_group() {
            // SAFETY: o is an output channel of c's group.
            unsafe { sum.add(self.inputs.weight(o, c, tap) * self.grad_y([n, o, p, q])) };
        }
        sum.total()
    }

    unsafe fn grad_y(&self, index: [i64; 4]) -> T::Compute {
        // SAFETY: an element of grad_y.
        unsafe { (*self.tensors.grad_y.offset(at(&self.inputs.problem.grad_y, index))).to_compute() }
    }

    /// Element `element`, row major, of the gradient of weight.
    unsafe fn weight(&self, element: i64) {
        let problem = self.inputs.problem;
        let g = &problem.geometry;
        let (filter, tap) = (element / g.taps(), element % g.taps());
        let (o, of_group) = (filter / g.channels_per_group(), filter % g.channels_per_group());
        let c = o / g.outputs_per_group() * g.channels_per_group() + of_group;
        let tap = Tap { i: tap / g.kernel_w, j: tap % g.kernel_w };
        // SAFETY: the indices exist.
        unsafe {
            let sum = self.over_positions(|position @ Position { n, p, q }| {
                self.grad_y([n, o, p, q]) * self.inputs.column(c, tap, position)
            });
            let to = self.tensors.grad_weight.offset(at(&problem.grad_weight, [o, of_group, tap.i, tap.j]));
            self.store(sum, to, DCN_GRAD_WEIGHT);
        }
    }

    /// Element `o` of the gradient of bias.
    unsafe fn bias(&self, o: i64) {
        let Tensor { strides, .. } = self.inputs.problem.grad_bias;
        // SAFETY: the indices exist.
        unsafe {
            let sum = self.over_positions(|Position { n, p, q }| self.grad_y([n, o, p, q]));
            self.store(sum, self.tensors.grad_bias.offset((o * strides[0]) as isize), DCN_GRAD_BIAS);
        }
    }

    /// The sum of a term over all positions of all images.
    fn over_positions(&self, term: impl Fn(Position) -> T::Compute) -> T::Compute {
        let g = &self.inputs.problem.geometry;
        let mut sum = Sum::new();
        for n in 0..g.n {
            for p in 0..g.out_h {
                (0..g.out_w).for_each(|q| sum.add(term(Position { n, p, q })));
            }
        }
        sum.total()
    }

    /// As [`store`], for an element of a DCN_GRAD_... bit's gradient.
    pub(super) unsafe fn store(&self, value: T::Compute, to: *mut T, gradient: u32) {
        // SAFETY: an element that no other unit has.
        unsafe { store(value, to, self.tensors.adds_to(gradient)) };
    }
}
