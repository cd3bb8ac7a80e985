//! Images as sampling wants them: channels contiguous, in the type that is computed in. Either x is so already, or each
//! image is copied to the workspace when its turn comes.

use super::kernels::{CopyArgs, HasKernels, Kernels, Matrix};
use super::sampled::{Made, Sampled};
use super::window::Window;
use crate::plan::cuts::ChannelCut;
use crate::plan::maps::{Image, MOST_PARTS, flat_stride, is_planes, pixel_stride};
use crate::problem::Tensor;
use std::iter::successors;
use std::ops::Range;
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

/// How the channels of a copy are cut into blocks. The pixels of a block are behind those of all blocks before it.
#[derive(Clone, Copy)]
pub enum Blocks<'a> {
    /// Of so many channels each.
    Even(usize),
    /// Of the channels of each unit of the column gradient.
    Units(&'a ChannelCut),
}

impl Blocks<'_> {
    /// The channels of a channel's block.
    pub fn of(&self, channel: usize) -> Range<usize> {
        match self {
            Self::Even(channels) => channel - channel % channels..channel - channel % channels + channels,
            Self::Units(cut) => cut.neighbours(channel),
        }
    }

    /// All of them.
    pub fn all(&self, channels: usize) -> impl Iterator<Item = Range<usize>> {
        let from = move |first: usize| (first < channels).then(|| self.of(first));
        successors(from(0), move |block| from(block.end))
    }
}

/// Pixels of a block of channels: channel c of pixel p is at `first + p * stride + c`.
#[derive(Clone, Copy)]
pub struct Pixels<C> {
    pub first: *mut C,
    pub stride: usize,
}

impl<C> Pixels<C> {
    /// Those of a block, behind those of the blocks before it.
    ///
    /// # Safety
    ///
    /// `image` has so many pixels of all channels.
    pub unsafe fn of_block(image: *mut C, pixels: usize, block: &Range<usize>) -> Self {
        // SAFETY: as many elements as the blocks before have, less than one a pixel; the block's own channels follow.
        Self { first: unsafe { image.add(block.start * (pixels - 1)) }, stride: block.len() }
    }
}

pub struct Images<'a, T: HasKernels> {
    pub x: &'a Tensor,
    pub data: *const T,
    pub how: Image,
    pub kernels: &'a Kernels<T>,
    /// Room for the copies of the images in flight, `copy_size` bytes each.
    pub copies: *mut u8,
    pub copy_size: usize,
    pub blocks: Blocks<'a>,
}

impl<T: HasKernels> Images<'_, T> {
    /// Units that the copy of one image is done in; 0 if it needs none.
    pub fn parts(&self) -> usize {
        match self.how {
            Image::Direct { .. } => 0,
            Image::Copied => self.pixel_count().div_ceil(self.part_pixels()),
        }
    }

    pub fn part_pixels(&self) -> usize {
        let pixel = self.x.dims[1] as usize * size_of::<T::Compute>();
        (PART_BYTES / pixel)
            .max(self.pixel_count().div_ceil(MOST_PARTS))
            .next_multiple_of(PART_GRANULE)
            .max(PART_GRANULE)
    }

    pub fn pixel_count(&self) -> usize {
        (self.x.dims[2] * self.x.dims[3]) as usize
    }

    /// Image `n`: in x, or in the copy in `slot`, of which `made` is there.
    ///
    /// # Safety
    ///
    /// `n` is an image of x, `slot` one of the copies; nobody else uses what is not made yet, but those it is shared
    /// with.
    pub unsafe fn sampled(&self, n: usize, slot: usize, made: Made) -> Sampled<'_, T> {
        Sampled::new(self, (n, slot), made)
    }

    /// A part of x that is sampled soon after tile `tile` of `tiles` of image `n`. There is none if x is copied first,
    /// or its elements are not side by side.
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

    /// An image of x.
    ///
    /// # Safety
    ///
    /// It exists.
    pub unsafe fn image(&self, n: usize) -> *const T {
        // SAFETY: n is an image of x; extents fit an isize.
        unsafe { self.data.offset(n as isize * self.x.strides[0] as isize) }
    }

    /// A copy.
    ///
    /// # Safety
    ///
    /// It is one of the images in flight.
    pub unsafe fn copy(&self, slot: usize) -> *mut T::Compute {
        // SAFETY: slot is one of the copies.
        unsafe { self.copies.add(slot * self.copy_size).cast() }
    }

    /// Copies one part of image `n` to the copy in `slot`.
    ///
    /// # Safety
    ///
    /// As [`Images::sampled`]; nobody else uses this part of the copy.
    pub unsafe fn copy_part(&self, n: usize, slot: usize, part: usize) {
        let first = part * self.part_pixels();
        let pixels = first..self.pixel_count().min(first + self.part_pixels());
        for block in self.blocks.all(self.x.dims[1] as usize) {
            // SAFETY: the caller's promise.
            unsafe {
                let to = self.copy(slot).add(block.start * self.pixel_count() + first * block.len());
                self.copy_block(n, pixels.clone(), &block, to);
            }
        }
    }

    /// Copies some pixels of image `n` to a window.
    ///
    /// # Safety
    ///
    /// They are pixels of the image, and the window has room for them; see [`Window::rows`].
    pub unsafe fn copy_to_window(&self, n: usize, pixels: Range<usize>, window: &Window<T::Compute>) {
        let step = if is_planes(self.x) { self.part_pixels() } else { PART_GRANULE };
        for first in pixels.clone().step_by(step) {
            for block in self.blocks.all(self.x.dims[1] as usize) {
                // SAFETY: the caller's promise.
                unsafe { self.copy_block(n, first..pixels.end.min(first + step), &block, window.at(first, &block)) };
            }
        }
    }

    /// Copies the block of a channel of image `n` to the copy in `slot`, if x needs a copy.
    ///
    /// # Safety
    ///
    /// As [`Images::sampled`]; nobody else uses this block of the copy.
    pub unsafe fn copy_whole_block(&self, n: usize, slot: usize, channel: usize) {
        if self.parts() > 0 {
            let (block, pixels) = (self.blocks.of(channel), self.pixel_count());
            // SAFETY: the caller's promise.
            unsafe { self.copy_block(n, 0..pixels, &block, self.copy(slot).add(block.start * pixels)) };
        }
    }

    /// Copies a block of channels of some pixels.
    unsafe fn copy_block(&self, n: usize, pixels: Range<usize>, block: &Range<usize>, data: *mut T::Compute) {
        let (first, channels) = (pixels.start, block.len());
        // SAFETY: the pixels are in the image and, from `data` on, in the copy.
        unsafe {
            let image = self.image(n).offset(block.start as isize * self.x.strides[1] as isize);
            let to = Matrix { data, stride: channels as isize };
            if is_planes(self.x) {
                let from = Matrix { data: image.add(first), stride: self.x.strides[1] as isize };
                (self.kernels.planes_to_pixels)(&CopyArgs { rows: channels, columns: pixels.len(), from, to });
            } else if let Some(stride) = pixel_stride(self.x) {
                let from = Matrix { data: image.offset(first as isize * stride), stride };
                (self.kernels.widen)(&CopyArgs { rows: pixels.len(), columns: channels, from, to });
            } else {
                self.copy_elements(image, channels, pixels, data);
            }
        }
    }

    unsafe fn copy_elements(&self, image: *const T, channels: usize, pixels: Range<usize>, mut to: *mut T::Compute) {
        let [_, _, h, w, _] = self.x.dims;
        let [_, sc, sh, sw, _] = self.x.strides.map(|stride| stride as isize);
        let flat = flat_stride([h, w], [self.x.strides[2], self.x.strides[3]]);
        // SAFETY: pixels and channels of the image; the copy has room for them.
        unsafe {
            for pixel in pixels {
                let at = match flat {
                    Some(stride) => pixel as isize * stride as isize,
                    None => (pixel / w as usize) as isize * sh + (pixel % w as usize) as isize * sw,
                };
                let from = image.offset(at);
                for c in 0..channels as isize {
                    *to = (*from.offset(c * sc)).to_compute();
                    to = to.add(1);
                }
            }
        }
    }
}
