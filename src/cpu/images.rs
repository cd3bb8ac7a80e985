//! Images as sampling wants them: channels contiguous, in the type that is computed in. Either x is so already, or each
//! image is copied to the workspace when its turn comes.

use super::element::Compute;
use super::kernels::{HasKernels, Kernels};
use super::layout::{Matrix, transpose_widening};
use crate::plan::maps::{Image, flat_stride, is_planes, pixel_stride};
use crate::problem::Tensor;
use std::ptr::{null, without_provenance};

/// About how much of a copy is made as one unit of work: little, so that it is in the cache still when it is sampled.
const PART_BYTES: usize = 128 << 10;

/// Pixels of a part are a multiple of this, for whole vectors.
const PART_GRANULE: usize = 64;
/// Part of an image by which what is asked for is ahead of what is sampled: an eighth.
const LEAD: usize = 8;

/// Addresses of memory to ask for.
#[derive(Clone, Copy, Default)]
pub struct Soon {
    next: usize,
    end: usize,
}

impl Soon {
    /// The next `bytes` of them; NULL when all have been taken.
    pub fn take<C>(&mut self, bytes: usize) -> *const C {
        let next = self.next;
        self.next = self.end.min(next + bytes);
        if next < self.end { without_provenance(next) } else { null() }
    }
}

/// Where an image is sampled.
pub struct Pixels<'a, T: HasKernels> {
    pub first: *const T::Compute,
    /// Elements from pixel to pixel.
    pub stride: usize,
    images: &'a Images<'a, T>,
    n: usize,
    slot: usize,
    /// Parts that the copy has; all of them if there is none.
    parts: usize,
}

impl<T: HasKernels> Pixels<'_, T> {
    /// Copies what is missing down to the row of pixels below coordinate `y`: little by little, so that the copy is in the
    /// cache when it is sampled.
    ///
    /// # Safety
    ///
    /// As [`Images::copy_part`] for all parts, unless all have been copied.
    #[inline]
    pub unsafe fn reach(&mut self, y: T::Compute) {
        let [_, _, height, width, _] = self.images.x.dims;
        let rows = height.min(y.to_i64() + 2);
        while self.parts * self.images.part_pixels() < (rows * width) as usize && self.parts < self.images.parts() {
            // SAFETY: the caller's promise; the part exists.
            unsafe { self.images.copy_part(self.n, self.slot, self.parts) };
            self.parts += 1;
        }
    }
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
            Image::Copied => self.pixel_count().div_ceil(self.part_pixels()),
        }
    }

    fn part_pixels(&self) -> usize {
        let pixel = self.x.dims[1] as usize * size_of::<T::Compute>();
        (PART_BYTES / pixel).next_multiple_of(PART_GRANULE).max(PART_GRANULE)
    }

    fn pixel_count(&self) -> usize {
        (self.x.dims[2] * self.x.dims[3]) as usize
    }

    /// Where to sample image `n`: in x, or in the copy in `slot`, of which `parts` are there.
    ///
    /// # Safety
    ///
    /// `n` is an image of x, `slot` one of the copies.
    pub unsafe fn pixels(&self, n: usize, slot: usize, parts: usize) -> Pixels<'_, T> {
        // SAFETY: the caller's promise.
        let (first, stride) = unsafe {
            match self.how {
                Image::Direct { pixel_stride } => (self.image(n).cast(), pixel_stride),
                Image::Copied => (self.copy(slot).cast_const(), self.x.dims[1] as usize),
            }
        };
        Pixels { first, stride, images: self, n, slot, parts }
    }

    /// A part of x that is sampled soon after tile `tile` of `tiles` of image `n`. There is none if x is copied first, or
    /// its elements are not side by side.
    pub fn soon(&self, n: usize, tile: usize, tiles: usize) -> Soon {
        let channels = self.x.dims[1];
        let dense = self.how == (Image::Direct { pixel_stride: channels as usize });
        let number = n * tiles + tile + tiles.div_ceil(LEAD);
        if !dense || number >= tiles * self.x.dims[0] as usize {
            return Soon::default();
        }
        let image = self.data.wrapping_offset((number / tiles) as isize * self.x.strides[0] as isize);
        let part = channels as usize * self.pixel_count() / tiles;
        let at = |tile: usize| image.wrapping_add(tile * part).addr();
        Soon { next: at(number % tiles), end: at(number % tiles + 1) }
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
        let first = part * self.part_pixels();
        let pixels = self.part_pixels().min(self.pixel_count() - first);
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
