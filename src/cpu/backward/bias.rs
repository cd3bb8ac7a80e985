//! grad_bias: grad_y summed over images and positions. It has to do with no other gradient: threads turn to it while
//! others are at the last units of another step.

use super::super::kernels::{CopyArgs, HasKernels, Matrix};
use super::super::sum::Sum;
use super::outputs::at;
use super::{Run, Step, store};
use crate::abi::*;
use crate::cpu::element::Compute;
use crate::plan::maps::{is_planes, pixel_stride};
use std::ops::Range;

/// Positions that are added up together.
const RUN: usize = 1024;
/// Chains of additions side by side.
const LANES: usize = 16;
/// Output channels that are added up side by side where they are neighbours.
const BLOCK: usize = 64;

/// Units of grad_bias that go along with a step: they fill the time until its last thread is done.
#[derive(Clone, Copy)]
pub(super) struct Along {
    step: Step,
    units: usize,
}

impl Along {
    /// Those that go along with this step.
    pub fn with(self, step: Step) -> usize {
        if step == self.step { self.units } else { 0 }
    }
}

impl<T: HasKernels> Run<'_, T> {
    /// grad_bias goes along with the last step of the last images, once: with the first units of grad_weight.
    pub(super) fn bias_along(&self, images: &Range<usize>, weight_units: &Range<usize>) -> Along {
        let is_due = weight_units.start == 0 && images.end == self.plan.problem.geometry.n as usize;
        Along { step: self.last_step(), units: if is_due { self.bias_units() } else { 0 } }
    }

    /// Units of output channels that grad_bias is computed in; 0 if it is not wanted.
    pub(super) fn bias_units(&self) -> usize {
        let outputs = self.plan.problem.geometry.o as usize;
        if self.tensors.grad_bias.is_null() { 0 } else { outputs.div_ceil(block(self.pixels())) }
    }

    /// Elements from position to position, if channels are neighbours.
    fn pixels(&self) -> Option<isize> {
        let tensor = &self.plan.problem.grad_y;
        pixel_stride(tensor).filter(|_| !is_planes(tensor))
    }

    /// Writes a unit of grad_bias; 0 where there is no image.
    pub(super) unsafe fn bias(&self, unit: usize) {
        let (g, pixels) = (&self.plan.problem.geometry, self.pixels());
        let block = block(pixels);
        let outputs = unit * block..(g.o as usize).min((unit + 1) * block);
        let mut sums = [const { Sum::new() }; BLOCK];
        for n in 0..g.n as usize {
            // SAFETY: output channels of an image of grad_y.
            unsafe {
                match pixels {
                    Some(stride) => self.add_planes(n, outputs.clone(), stride, &mut sums),
                    None => self.add_plane(n, outputs.start, &mut sums[0]),
                }
            }
        }
        let stride = self.plan.problem.grad_bias.strides[0] as isize;
        for (o, sum) in outputs.zip(&sums) {
            let to = self.tensors.grad_bias.wrapping_offset(o as isize * stride);
            // SAFETY: each unit writes its own elements.
            unsafe { store(sum.total(), to, self.tensors.adds_to(DCN_GRAD_BIAS)) };
        }
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

    /// Adds up at most BLOCK output channels where channels are neighbours: side by side, each in the order of a plane.
    unsafe fn add_planes(&self, n: usize, outputs: Range<usize>, stride: isize, sums: &mut [Sum<T::Compute>; BLOCK]) {
        let all = self.plan.problem.geometry.positions() as usize;
        let mut rows = [[T::Compute::ZERO; BLOCK]; LANES];
        for first in (0..all).step_by(RUN) {
            let mut lanes = [[T::Compute::ZERO; BLOCK]; LANES];
            for start in (first..all.min(first + RUN)).step_by(LANES) {
                let count = LANES.min(all - start);
                // SAFETY: positions and output channels of grad_y; `rows` has room for them.
                unsafe {
                    let data = self.tensors.grad_y.offset(at(&self.plan.problem.grad_y, [n, outputs.start, 0, 0]));
                    let to = Matrix { data: rows.as_mut_ptr().cast(), stride: BLOCK as isize };
                    let from = Matrix { data: data.offset(start as isize * stride), stride };
                    (self.plan.kernels.widen)(&CopyArgs { rows: count, columns: outputs.len(), from, to });
                }
                for (lane, row) in lanes.iter_mut().zip(&rows).take(count) {
                    lane.iter_mut().zip(row).for_each(|(sum, &value)| *sum += value);
                }
            }
            for (column, sum) in sums.iter_mut().enumerate().take(outputs.len()) {
                sum.add(lanes.iter().fold(T::Compute::ZERO, |total, lane| total + lane[column]));
            }
        }
    }
}

/// Output channels of a unit.
fn block(pixels: Option<isize>) -> usize {
    if pixels.is_some() { BLOCK } else { 1 }
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
