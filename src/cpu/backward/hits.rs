//! The second level of grad_x's sums. Any number of samples may hit one pixel, and no chain of additions is to be longer
//! than MAX_CHAIN; so hits are counted, and the sum of a pixel that was hit often moves on: to the caller's grad_x, or,
//! where that is of half precision, to a second image in the workspace. That is rare: the four corners of K taps hit a
//! pixel 4 K times or so.

use super::super::kernels::{Corners, HasKernels};
use super::outputs::at;
use super::{Run, clear, store};
use crate::abi::DCN_GRAD_X;
use crate::cpu::element::Compute;
use crate::plan::tiling::MAX_CHAIN;

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
    /// How often each pixel of the image in `slot` was hit, for a set of channels; behind the last row, a mark for each
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

    /// Counts the hits of a tile, whose positions were just scattered, and moves the sums on that might become too long
    /// with the next tile.
    pub(super) unsafe fn count_hits(
        &self,
        (n, slot): (usize, usize),
        together: Together,
        corners: &Corners<T::Compute>,
        positions: usize,
    ) {
        let limit = (MAX_CHAIN - 1 - self.plan.positions) as u8;
        // SAFETY: an index that is not negative is a pixel.
        unsafe {
            let hits = self.hits(slot, together.row());
            for k in 0..4 {
                let index = corners.index.add(k * corners.stride);
                for p in 0..positions {
                    let pixel = *index.add(p);
                    if pixel < 0 {
                        continue;
                    }
                    let hits = hits.add(pixel as usize);
                    *hits += 1;
                    if *hits > limit {
                        *hits = 0;
                        self.move_on((n, slot), together, pixel as usize);
                    }
                }
            }
        }
    }

    /// Adds the sums of a pixel to the second level.
    unsafe fn move_on(&self, (n, slot): (usize, usize), together: Together, pixel: usize) {
        let c = self.plan.problem.geometry.c as usize;
        let channels = together.first_channel..together.first_channel + together.channels;
        // SAFETY: channels and pixels of grad_x, which no other unit touches.
        unsafe {
            let moved = self.has_moved_on(slot, together.row());
            // The caller's grad_x holds what it is to be added to.
            let begins = !*moved && (!T::IS_COMPUTE || !self.tensors.adds_to(DCN_GRAD_X));
            let sums = self.grad_image(slot).add(pixel * c);
            for channel in channels.clone() {
                if begins {
                    (0..self.plan.pixels()).for_each(|pixel| self.set_second((n, slot), channel, pixel, None));
                }
                self.set_second((n, slot), channel, pixel, Some(*sums.add(channel)));
            }
            *moved = true;
            clear(sums.add(together.first_channel), together.channels);
        }
    }

    /// Adds to an element of the second level, or sets it to 0.
    unsafe fn set_second(&self, (n, slot): (usize, usize), channel: usize, pixel: usize, add: Option<T::Compute>) {
        let tensor = &self.plan.problem.grad_x;
        let [_, c, _, w, _] = tensor.dims.map(|dim| dim as usize);
        let value = add.unwrap_or(Compute::ZERO);
        // SAFETY: a channel and a pixel of grad_x.
        unsafe {
            if T::IS_COMPUTE {
                let element = self.tensors.grad_x.offset(at(tensor, [n, channel, pixel / w, pixel % w]));
                store(value, element, add.is_some());
            } else {
                let second = self.second_image(slot).add(pixel * c + channel);
                *second = if add.is_some() { *second + value } else { value };
            }
        }
    }

    /// Where the second level is in half precision, channels contiguous.
    unsafe fn second_image(&self, slot: usize) -> *mut T::Compute {
        let map = &self.plan.workspace;
        // SAFETY: slot is one of the images in flight.
        unsafe { self.workspace.add(map.second_images + slot * map.grad_image_size).cast() }
    }

    /// What the second level has of a channel whose sums have moved on, where that is not the caller's grad_x.
    pub(super) unsafe fn second(&self, slot: usize, channel: usize, pixel: usize) -> T::Compute {
        if T::IS_COMPUTE {
            return Compute::ZERO;
        }
        // SAFETY: a channel and a pixel of grad_x.
        unsafe { *self.second_image(slot).add(pixel * self.plan.problem.geometry.c as usize + channel) }
    }

    /// Whether any sums of an image have moved on.
    pub(super) unsafe fn any_moved_on(&self, slot: usize) -> bool {
        // SAFETY: the marks of all rows.
        unsafe { (0..self.plan.hit_rows()).any(|row| *self.has_moved_on(slot, row)) }
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
