//! The second level of grad_x's sums. Any number of samples may hit one pixel, and no chain of additions is to be
//! longer than MAX_CHAIN; so hits are counted, and the sum of a pixel that was hit often moves on: to the caller's
//! grad_x, or, where that is of half precision, to a second image in the workspace. That is rare: the four corners of K
//! taps hit a pixel 4 K times or so.
//!
//! Samples are counted once, in the cell between four pixels that they lie in. A pixel gets what hits the four cells
//! around it, so their shares add up to what one chain may have.
//!
//! The second level has as many additions as sums move on, which may be any number. So what rounding takes from one of
//! them stays behind in the first level, for the next one.

use super::super::kernels::{Corners, HasKernels};
use super::outputs::at;
use super::{Run, store};
use crate::abi::DCN_GRAD_X;
use crate::cpu::element::Compute;
use crate::plan::tiling::MAX_CHAIN;
use std::ops::Range;

/// Positions that are scattered between two looks at the counts, where a cell is about to get more than its share.
pub(super) const CHUNK: usize = 16;
/// Samples of one cell that its pixels' sums may have; those of the chunk in which a cell gets more come on top.
const CELL_LIMIT: u8 = ((MAX_CHAIN - CHUNK) / 4) as u8;

/// The cell of a sample, if it is in range, by the last pixel of the image that it hits. Of cells that lie beyond the
/// image's last row or column some share their count with their neighbours.
#[inline(always)]
unsafe fn cell<C>(corners: &Corners<C>, position: usize) -> Option<usize> {
    // SAFETY: the position has four corners.
    let index = |k: usize| unsafe { *corners.index.add(k * corners.stride + position) };
    let last = index(3);
    let last = if last >= 0 { last } else { index(2).max(index(1)).max(index(0)) };
    usize::try_from(last).ok()
}

/// Channels that are always hit together: those of one unit, one group and one deformable group.
#[derive(Clone, Copy)]
pub(super) struct Together {
    pub unit: usize,
    pub group: usize,
    pub deformable_group: usize,
    pub first_channel: usize,
    pub channels: usize,
}

impl Together {
    /// Along the channels one of the three grows wherever one such set ends.
    fn row(&self) -> usize {
        self.unit + self.group + self.deformable_group
    }
}

impl<T: HasKernels> Run<'_, T> {
    /// How often each cell of the image in `slot` was hit, for a set of channels; behind the last row, a mark for each
    /// set whose sums have moved on.
    unsafe fn hits(&self, slot: usize, row: usize) -> *mut u8 {
        let map = &self.plan.workspace;
        // SAFETY: slot is one of the images in flight, row one of the plan's.
        unsafe { self.workspace.add(map.hits + slot * map.hits_size + row * self.plan.pixels()) }
    }

    unsafe fn has_moved_on(&self, slot: usize, row: usize) -> *mut bool {
        // SAFETY: as above; a byte of 0 is false.
        unsafe { self.hits(slot, self.plan.hit_rows()).add(row).cast() }
    }

    /// Forgets the hits of an image.
    pub(super) unsafe fn clear_hits(&self, slot: usize) {
        // SAFETY: the whole of what the map has for the slot.
        unsafe { self.hits(slot, 0).write_bytes(0, self.plan.workspace.hits_size) };
    }

    /// Counts the samples of a tile that is about to be scattered: whether no cell of the image gets more than its
    /// share, so that the tile can be scattered at once. If not, nothing is counted.
    pub(super) unsafe fn count_hits(
        &self,
        slot: usize,
        together: Together,
        corners: &Corners<T::Compute>,
        positions: usize,
    ) -> bool {
        let mut most = 0;
        // SAFETY: a key is a pixel.
        unsafe {
            let hits = self.hits(slot, together.row());
            for key in (0..positions).filter_map(|p| cell(corners, p)) {
                *hits.add(key) += 1;
                most = most.max(*hits.add(key));
            }
            if most > CELL_LIMIT {
                (0..positions).filter_map(|p| cell(corners, p)).for_each(|key| *hits.add(key) -= 1);
            }
        }
        most <= CELL_LIMIT
    }

    /// Counts the samples of at most [`CHUNK`] positions that were just scattered, and moves the sums on that might
    /// become too long with the next ones.
    pub(super) unsafe fn count_chunk(
        &self,
        (n, slot): (usize, usize),
        together: Together,
        corners: &Corners<T::Compute>,
        positions: usize,
    ) {
        let w = self.plan.problem.geometry.w as usize;
        // SAFETY: a key is a pixel; the others are those above and to the left of it, where the image has them.
        unsafe {
            let hits = self.hits(slot, together.row());
            for key in (0..positions).filter_map(|p| cell(corners, p)) {
                *hits.add(key) += 1;
                if *hits.add(key) > CELL_LIMIT {
                    *hits.add(key) = 0;
                    let (above, left) = (if key >= w { w } else { 0 }, usize::from(!key.is_multiple_of(w)));
                    for row in [above, 0].into_iter().skip(usize::from(above == 0)) {
                        (key - row - left..=key - row).for_each(|pixel| self.move_on((n, slot), together, pixel));
                    }
                }
            }
        }
    }

    /// Adds the sums of a pixel to the second level.
    unsafe fn move_on(&self, (n, slot): (usize, usize), together: Together, pixel: usize) {
        let channels = together.first_channel..together.first_channel + together.channels;
        // SAFETY: channels and pixels of grad_x, which no other unit touches.
        unsafe {
            let moved = self.has_moved_on(slot, together.row());
            // The caller's grad_x holds what it is to be added to.
            let begins = !*moved && (!T::IS_COMPUTE || !self.tensors.adds_to(DCN_GRAD_X));
            let pixels = self.grad_pixels(slot, together.first_channel);
            for channel in channels {
                if begins {
                    (0..self.plan.pixels()).for_each(|pixel| self.clear_second((n, slot), channel, pixel));
                }
                let sum = pixels.first.add(pixel * pixels.stride + channel);
                *sum = self.add_to_second((n, slot), channel, pixel, *sum);
            }
            *moved = true;
        }
    }

    /// Sets an element of the second level to 0.
    unsafe fn clear_second(&self, (n, slot): (usize, usize), channel: usize, pixel: usize) {
        // SAFETY: a channel and a pixel of grad_x.
        unsafe {
            if T::IS_COMPUTE {
                store(Compute::ZERO, self.grad_x_element(n, channel, pixel), false);
            } else {
                *self.second_element(slot, channel, pixel) = Compute::ZERO;
            }
        }
    }

    /// Adds to an element of the second level; what rounding takes from the sum.
    unsafe fn add_to_second(
        &self,
        (n, slot): (usize, usize),
        channel: usize,
        pixel: usize,
        value: T::Compute,
    ) -> T::Compute {
        // SAFETY: a channel and a pixel of grad_x.
        unsafe {
            if T::IS_COMPUTE {
                let element = self.grad_x_element(n, channel, pixel);
                let (sum, rest) = sum_and_rest((*element).to_compute(), value);
                store(sum, element, false);
                rest
            } else {
                let element = self.second_element(slot, channel, pixel);
                let (sum, rest) = sum_and_rest(*element, value);
                *element = sum;
                rest
            }
        }
    }

    unsafe fn grad_x_element(&self, n: usize, channel: usize, pixel: usize) -> *mut T {
        let tensor = &self.plan.problem.grad_x;
        let w = tensor.dims[3] as usize;
        // SAFETY: a channel and a pixel of grad_x.
        unsafe { self.tensors.grad_x.offset(at(tensor, [n, channel, pixel / w, pixel % w])) }
    }

    /// Where the second level is in half precision, channels contiguous.
    unsafe fn second_element(&self, slot: usize, channel: usize, pixel: usize) -> *mut T::Compute {
        let map = &self.plan.workspace;
        // SAFETY: slot is one of the images in flight; a channel and a pixel of grad_x.
        unsafe {
            let image = self.workspace.add(map.second_images + slot * map.grad_image_size).cast::<T::Compute>();
            image.add(pixel * self.plan.problem.geometry.c as usize + channel)
        }
    }

    /// What the second level has of a channel whose sums have moved on, where that is not the caller's grad_x.
    pub(super) unsafe fn second(&self, slot: usize, channel: usize, pixel: usize) -> T::Compute {
        if T::IS_COMPUTE {
            return Compute::ZERO;
        }
        // SAFETY: a channel and a pixel of grad_x.
        unsafe { *self.second_element(slot, channel, pixel) }
    }

    /// Whether sums of any of a unit's channels have moved on.
    pub(super) unsafe fn any_moved_on(&self, slot: usize, mut channels: Range<usize>) -> bool {
        // SAFETY: the channels exist; marks of other units, which other threads may set, are not read.
        channels.any(|channel| unsafe { self.channel_moved_on(slot, channel) })
    }

    /// Whether sums of a channel have moved on.
    pub(super) unsafe fn channel_moved_on(&self, slot: usize, channel: usize) -> bool {
        let (g, cut) = (&self.plan.problem.geometry, &self.plan.channels);
        let unit = cut.unit_of(channel);
        let deformable_group = channel / g.channels_per_deformable_group() as usize;
        let row = unit + cut.group_of(channel) + deformable_group;
        // SAFETY: the row of the channel's set.
        unsafe { *self.has_moved_on(slot, row) }
    }
}

/// a + b, and what rounding takes from it: 0 where the sum is not finite. (Knuth's TwoSum.)
fn sum_and_rest<C: Compute>(a: C, b: C) -> (C, C) {
    let sum = a + b;
    let of_b = sum - a;
    let rest = (a - (sum - of_b)) + (b - of_b);
    // Neither holds for NaN.
    (sum, if rest < C::ZERO || C::ZERO < rest { rest } else { C::ZERO })
}
