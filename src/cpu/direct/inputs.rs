//! What both passes read.

use super::sample::Sample;
use super::{Position, Tap, at};
use crate::cpu::element::{Compute, Element};
use crate::problem::Problem;

/// The inputs of a run with their descriptions. `mask` is NULL where absent; `weight` may have any alignment, as packed
/// weights may.
pub struct Inputs<'a, T: Element> {
    pub problem: &'a Problem,
    pub x: *const T,
    pub offset: *const T,
    pub mask: *const T,
    pub weight: *const T,
}

/// The indices given to these functions exist in the problem, and the pointers cover what it describes.
impl<T: Element> Inputs<'_, T> {
    /// H and W.
    pub(super) fn size(&self) -> [i64; 2] {
        [self.problem.geometry.h, self.problem.geometry.w]
    }

    /// The channel of mask that a tap of channel c's deformable group has.
    fn mask_channel(&self, c: i64, tap: Tap) -> i64 {
        let g = &self.problem.geometry;
        c / g.channels_per_deformable_group() * g.taps() + tap.i * g.kernel_w + tap.j
    }

    /// Where a tap samples channel c; None if that is not in range.
    pub(super) unsafe fn sample(&self, c: i64, tap: Tap, Position { n, p, q }: Position) -> Option<Sample<T::Compute>> {
        let g = &self.problem.geometry;
        let channel = 2 * self.mask_channel(c, tap);
        // SAFETY: both channels exist.
        let [dy, dx] = [0, 1].map(|axis| unsafe {
            (*self.offset.offset(at(&self.problem.offset, [n, channel + axis, p, q]))).to_compute()
        });
        let y = T::Compute::from_i64(p * g.stride_h - g.pad_top + tap.i * g.dilation_h) + dy;
        let x = T::Compute::from_i64(q * g.stride_w - g.pad_left + tap.j * g.dilation_w) + dx;
        Sample::at(y, x, self.size())
    }

    /// The mask of a tap of channel c, 1 where there is none.
    pub(super) unsafe fn mask(&self, c: i64, tap: Tap, Position { n, p, q }: Position) -> T::Compute {
        let Some(mask) = &self.problem.mask else {
            return T::Compute::ONE;
        };
        // SAFETY: the channel exists.
        unsafe { (*self.mask.offset(at(mask, [n, self.mask_channel(c, tap), p, q]))).to_compute() }
    }

    pub(super) unsafe fn pixel(&self, index: [i64; 4]) -> T::Compute {
        // SAFETY: an element of x.
        unsafe { (*self.x.offset(at(&self.problem.x, index))).to_compute() }
    }

    /// The weight from channel c to output channel o of its group.
    pub(super) unsafe fn weight(&self, o: i64, c: i64, Tap { i, j }: Tap) -> T::Compute {
        let index = [o, c % self.problem.geometry.channels_per_group(), i, j];
        // SAFETY: an element of weight.
        unsafe { self.weight.offset(at(&self.problem.weight, index)).read_unaligned().to_compute() }
    }

    /// mask * S: one element of the im2col matrix.
    pub(super) unsafe fn column(&self, c: i64, tap: Tap, position: Position) -> T::Compute {
        // SAFETY: corners are pixels of the image.
        unsafe {
            let mut value = T::Compute::ZERO;
            for corner in self.sample(c, tap, position).iter().flat_map(|sample| sample.corners(self.size())) {
                value += corner.weight * self.pixel([position.n, c, corner.row, corner.column]);
            }
            self.mask(c, tap, position) * value
        }
    }
}
