//! Images as sampling wants them: channels contiguous, in the type that is computed in. Either x is so already, or each
//! image is copied to the workspace when its turn comes.

use super::kernels::{HasKernels, Kernels};
use super::layout::{Matrix, transpose_widening};
use crate::plan::maps::{Image, flat_stride, is_planes, pixel_stride};
use crate::problem::Tensor;

/// Pixels that are copied as one unit of work.
const PIXELS_PER_PART: usize = 1024;

/// Where an image is sampled: its first pixel, and elements from pixel to pixel.
#[derive(Clone, Copy)]
pub struct Pixels<C> {
    pub first: *const C,
    pub stride: usize,
}

pub struct Images<'a, T: HasKernels> {
    pub x: &'a Tensor,
    pub data: *const T,
    pub how: Image,
    pub kernels: &'a Kernels<T::Compute>,
    /// Room for the copies of the images in flight, `copy_size` bytes each.
    pub copies: *mut u8,
    pub copy_size: usize,
}

impl<T: HasKernels> Images<'_, T> {
    /// Units that the copy of one image is done in; 0 if it needs none.
    pub fn parts(&self) -> usize {
        match self.how {
            Image::Direct { .. } => 0,
            Image::Copied => self.pixel_count().div_ceil(PIXELS_PER_PART),
        }
    }

    fn pixel_count(&self) -> usize {
        (self.x.dims[2] * self.x.dims[3]) as usize
    }

    /// Where to sample image `n`: in x, or in the copy in `slot`.
    ///
    /// # Safety
    ///
    /// `n` is an image of x, `slot` one of the copies.
    pub unsafe fn pixels(&self, n: usize, slot: usize) -> Pixels<T::Compute> {
        // SAFETY: the caller's promise.
        unsafe {
            match self.how {
                Image::Direct { pixel_stride } => Pixels { first: self.image(n).cast(), stride: pixel_stride },
                Image::Copied => Pixels { first: self.copy(slot), stride: self.x.dims[1] as usize },
            }
        }
    }

    unsafe fn image(&self, n: usize) -> *const T {
        // SAFETY: n is an image of x; extents fit an isize.
        unsafe { self.data.offset(n as isize * self.x.strides[0] as isize) }
    }

    unsafe fn copy(&self, slot: usize) -> *mut T::Compute {
        // SAFETY: slot is one of the copies.
        unsafe { self.copies.add(slot * self.copy_size).cast() }
    }

    /// Copies one part of image `n` to the copy in `slot`.
    ///
    /// # Safety
    ///
    /// As [`Images::pixels`]; nobody else uses this part of the copy.
    pub unsafe fn copy_part(&self, n: usize, slot: usize, part: usize) {
        let channels = self.x.dims[1] as usize;
        let first = part * PIXELS_PER_PART;
        let pixels = PIXELS_PER_PART.min(self.pixel_count() - first);
        // SAFETY: all pixels of this part are in the image and in the copy.
        unsafe {
            let to = self.copy(slot).add(first * channels);
            if is_planes(self.x) {
                let planes = Matrix { data: self.image(n).add(first), stride: self.x.strides[1] as isize };
                let to = Matrix { data: to, stride: channels as isize };
                transpose_widening(self.kernels, [channels, pixels], planes, to);
            } else if let Some(stride) = pixel_stride(self.x) {
                for pixel in 0..pixels {
                    let from = self.image(n).offset((first + pixel) as isize * stride);
                    T::widen(self.kernels.isa, from, to.add(pixel * channels), channels);
                }
            } else {
                self.copy_elements(n, first..first + pixels, to);
            }
        }
    }

    unsafe fn copy_elements(&self, n: usize, pixels: std::ops::Range<usize>, mut to: *mut T::Compute) {
        let [_, channels, h, w, _] = self.x.dims;
        let [_, sc, sh, sw, _] = self.x.strides.map(|stride| stride as isize);
        let flat = flat_stride([h, w], [self.x.strides[2], self.x.strides[3]]);
        // SAFETY: pixels and channels of the image; the copy has room for them.
        unsafe {
            for pixel in pixels {
                let at = match flat {
                    Some(stride) => pixel as isize * stride as isize,
                    None => (pixel / w as usize) as isize * sh + (pixel % w as usize) as isize * sw,
                };
                let from = self.image(n).offset(at);
                for c in 0..channels as isize {
                    *to = (*from.offset(c * sc)).to_compute();
                    to = to.add(1);
                }
            }
        }
    }
}
