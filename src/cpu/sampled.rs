//! One image as it is sampled: where its pixels are, and that they are there.

use super::images::{Images, Pixels};
use super::kernels::{HasKernels, Reach};
use super::shared_copy::SharedParts;
use super::window::Window;
use crate::cpu::element::Compute;
use crate::plan::maps::Image;
use std::ops::Range;

/// What of a copy is there before it is sampled. The rest is made where it is reached.
#[derive(Clone, Copy)]
pub enum Made {
    Nothing,
    Everything,
    /// What these say, as all threads do that sample it.
    Shared(SharedParts),
}

/// One image to sample: in x, or a copy that is made as far as it has been reached; either through a window.
pub struct Sampled<'a, T: HasKernels> {
    images: &'a Images<'a, T>,
    n: usize,
    slot: usize,
    /// None where nobody else makes parts of the copy.
    shared: Option<SharedParts>,
    /// Parts that are known to be made, and the rows of pixels that lie in them.
    parts: Range<usize>,
    rows: Range<i64>,
    /// This thread's window, the rows that it holds, and whether it holds what was reached last.
    window: Option<Window<T::Compute>>,
    held: Range<i64>,
    is_held: bool,
}

impl<'a, T: HasKernels> Sampled<'a, T> {
    /// Image `n`, in x or in the copy in `slot`, of which `made` is there.
    pub(super) fn new(images: &'a Images<'a, T>, (n, slot): (usize, usize), made: Made) -> Self {
        let (shared, all) = match made {
            _ if images.parts() == 0 => (None, true),
            Made::Nothing => (None, false),
            Made::Everything => (None, true),
            Made::Shared(parts) => (Some(parts), false),
        };
        let (parts, rows) = if all { (0..images.parts(), 0..images.x.dims[2]) } else { (0..0, 0..0) };
        Self { images, n, slot, shared, parts, rows, window: None, held: 0..0, is_held: false }
    }

    /// Through a window, wherever that holds what is reached.
    ///
    /// # Safety
    ///
    /// See [`Window::rows`].
    pub unsafe fn through(self, window: Window<T::Compute>) -> Self {
        // SAFETY: the caller's promise.
        Self { held: unsafe { window.rows(self.n) }, window: Some(window), ..self }
    }

    /// Where the channels of one block are, that of `channel`.
    ///
    /// # Safety
    ///
    /// The channel exists; see [`Images::sampled`].
    pub unsafe fn pixels(&self, channel: usize) -> Pixels<T::Compute> {
        let images = self.images;
        // SAFETY: the caller's promise.
        unsafe {
            if let Some(window) = self.window.filter(|_| self.is_held) {
                return window.block(&images.blocks.of(channel));
            }
            match images.how {
                Image::Direct { pixel_stride } => {
                    Pixels { first: images.image(self.n).cast_mut().cast(), stride: pixel_stride }
                }
                Image::Copied => {
                    Pixels::of_block(images.copy(self.slot), images.pixel_count(), &images.blocks.of(channel))
                }
            }
        }
    }

    /// Makes what is missing of the rows of pixels that samples reach: little by little, so that the copy is in the
    /// cache when it is sampled.
    ///
    /// # Safety
    ///
    /// As [`Images::sampled`].
    #[inline]
    pub unsafe fn reach(&mut self, reach: &Reach<T::Compute>) {
        let height = self.images.x.dims[2];
        // The distance is cut off and was rounded before: each is less than a row, or just one.
        let first = (height - reach.highest.to_i64() - 2).max(0);
        let end = height.min(reach.deepest.to_i64() + 2);
        if end <= first {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe {
            if self.window.is_some() {
                self.is_held = self.held.start <= first && end <= self.held.end || self.hold(first..end);
            }
            if !self.is_held && (first < self.rows.start || self.rows.end < end) {
                self.make(first..end);
            }
        }
    }

    /// Has the window hold some rows, if it can.
    #[cold]
    unsafe fn hold(&mut self, rows: Range<i64>) -> bool {
        let (images, Some(window)) = (self.images, &self.window) else { return false };
        // SAFETY: the caller's promise; pixels of the image, which the window has room for.
        unsafe {
            let blocks = (&images.blocks, images.x.dims[1] as usize);
            let missing = window.hold(self.n, &rows, blocks);
            self.held = window.rows(self.n);
            match missing {
                Some(missing) => images.copy_to_window(self.n, missing, window),
                None => return false,
            }
        }
        true
    }

    #[cold]
    unsafe fn make(&mut self, rows: Range<i64>) {
        let (images, width) = (self.images, self.images.x.dims[3] as usize);
        let part_of = |pixel: usize| pixel / images.part_pixels();
        let parts = part_of(rows.start as usize * width)..part_of(rows.end as usize * width - 1) + 1;
        // SAFETY: the caller's promise; the parts exist, and nobody else makes them at the same time.
        let make = |part: usize| unsafe { images.copy_part(self.n, self.slot, part) };
        self.parts = match &self.shared {
            None => {
                (self.parts.end..parts.end).for_each(make);
                0..parts.end.max(self.parts.end)
            }
            Some(shared) => {
                // SAFETY: copying waits for nobody.
                unsafe { shared.ensure(parts.clone(), make) };
                let neighbours = parts.start <= self.parts.end && self.parts.start <= parts.end;
                let known = if neighbours { &self.parts } else { &parts };
                parts.start.min(known.start)..parts.end.max(known.end)
            }
        };
        let pixel = |part: usize| images.pixel_count().min(part * images.part_pixels());
        self.rows = pixel(self.parts.start).div_ceil(width) as i64..(pixel(self.parts.end) / width) as i64;
    }
}
