//! grad_x, from the workspace to the caller's tensor.

use super::super::kernels::{CopyArgs, HasKernels, Matrix};
use super::outputs::at;
use super::{Run, store};
use crate::abi::DCN_GRAD_X;
use crate::plan::maps::{is_planes, pixel_stride};
use std::ops::Range;

/// Pixels of grad_x that are written as one unit of work.
const PIXELS_PER_PART: usize = 512;

impl<T: HasKernels> Run<'_, T> {
    /// Parts that grad_x of an image is written in.
    pub(super) fn grad_x_parts(&self) -> usize {
        self.plan.pixels().div_ceil(PIXELS_PER_PART)
    }

    /// Writes a part of grad_x of the images in flight, of which `first` is the first.
    pub(super) unsafe fn write_grad_x(&self, first: usize, part: usize) {
        let (slot, part) = (part / self.grad_x_parts(), part % self.grad_x_parts());
        let start = part * PIXELS_PER_PART;
        let part = start..self.plan.pixels().min(start + PIXELS_PER_PART);
        for unit in 0..self.plan.channels.units() {
            // SAFETY: each part has its own pixels.
            unsafe { self.write_pixels(first + slot, slot, part.clone(), self.plan.channels.unit_channels(unit)) };
        }
    }

    /// Some pixels of a unit's channels.
    unsafe fn write_pixels(&self, n: usize, slot: usize, part: Range<usize>, channels: Range<usize>) {
        let tensor = &self.plan.problem.grad_x;
        // SAFETY: pixels of the image, in the workspace and in the caller's tensor.
        unsafe {
            if self.tensors.adds_to(DCN_GRAD_X) || self.any_moved_on(slot) {
                return self.add_pixels(n, slot, part, channels);
            }
            let pixels = self.grad_pixels(slot, channels.start);
            let data = pixels.first.add(part.start * pixels.stride + channels.start).cast_const();
            let from = Matrix { data, stride: pixels.stride as isize };
            let to = self.tensors.grad_x.offset(at(tensor, [n, channels.start, 0, 0]));
            let args = |data, stride| {
                let to = Matrix { data, stride };
                CopyArgs { rows: part.len(), columns: channels.len(), from, to }
            };
            if is_planes(tensor) {
                (self.plan.kernels.pixels_to_planes)(&args(to.add(part.start), tensor.strides[1] as isize));
            } else if let Some(stride) = pixel_stride(tensor) {
                (self.plan.kernels.narrow)(&args(to.offset(part.start as isize * stride), stride));
            } else {
                self.add_pixels(n, slot, part, channels);
            }
        }
    }

    /// Element by element, with what is there or has moved on.
    unsafe fn add_pixels(&self, n: usize, slot: usize, part: Range<usize>, channels: Range<usize>) {
        let tensor = &self.plan.problem.grad_x;
        let w = tensor.dims[3] as usize;
        // SAFETY: pixels of the image, in the workspace and in the caller's tensor.
        unsafe {
            let pixels = self.grad_pixels(slot, channels.start);
            for channel in channels {
                let moved_on = self.channel_moved_on(slot, channel);
                let add = self.tensors.adds_to(DCN_GRAD_X) || (moved_on && T::IS_COMPUTE);
                for pixel in part.clone() {
                    let to = self.tensors.grad_x.offset(at(tensor, [n, channel, pixel / w, pixel % w]));
                    let mut sum = *pixels.first.add(pixel * pixels.stride + channel);
                    if moved_on {
                        sum += self.second(slot, channel, pixel);
                    }
                    store(sum, to, add);
                }
            }
        }
    }
}
