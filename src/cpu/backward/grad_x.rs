//! grad_x, from the workspace to the caller's tensor.

use super::super::kernels::{CopyArgs, HasKernels, Matrix};
use super::outputs::at;
use super::{Run, store};
use crate::abi::DCN_GRAD_X;
use crate::plan::maps::{is_planes, pixel_stride};
use std::ops::Range;

/// Pixels of grad_x that are written at a time.
const PIXELS_PER_PART: usize = 512;

impl<T: HasKernels> Run<'_, T> {
    /// Writes a unit's channels of grad_x of image `n`, which is in `slot`.
    pub(super) unsafe fn write_grad_x(&self, n: usize, slot: usize, unit: usize) {
        let pixels = self.plan.pixels();
        for start in (0..pixels).step_by(PIXELS_PER_PART) {
            let part = start..pixels.min(start + PIXELS_PER_PART);
            // SAFETY: channels and pixels exist.
            unsafe { self.write_pixels(n, slot, part, self.plan.channels.unit_channels(unit)) };
        }
    }

    /// Some pixels of a unit's channels.
    unsafe fn write_pixels(&self, n: usize, slot: usize, part: Range<usize>, channels: Range<usize>) {
        let tensor = &self.plan.problem.grad_x;
        // SAFETY: pixels of the image, in the workspace and in the caller's tensor.
        unsafe {
            if self.tensors.adds_to(DCN_GRAD_X) || self.any_moved_on(slot, channels.clone()) {
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
