//! Where the channels of sampling corners are, found for several positions at a time: in the image, or outside, where
//! something stands in for them. Reading zeros there, not a clamped pixel of weight 0, keeps an infinity beside the
//! border from becoming NaN.

use super::args::Corners;
use crate::cpu::element::Compute;
use crate::cpu::simd::{MAX_LANES, PixelAddresses, Simd};
use std::ptr::with_exposed_provenance;

#[derive(Clone, Copy)]
pub(super) struct CornerAddresses {
    pixels: PixelAddresses,
    found: [[usize; MAX_LANES]; 4],
}

impl CornerAddresses {
    /// Of corners in an image whose pixel 0 is at `image`, `pixel_stride` elements from pixel to pixel; `outside`
    /// stands in for the others.
    #[inline(always)]
    pub fn new<T: Compute>(image: *const T, pixel_stride: usize, outside: *const T) -> Self {
        let pixels = PixelAddresses {
            first: image.expose_provenance(),
            stride: pixel_stride * size_of::<T>(),
            outside: outside.expose_provenance(),
        };
        Self { pixels, found: [[0; MAX_LANES]; 4] }
    }

    /// Finds the corners of V::LANES positions from `position` on.
    ///
    /// # Safety
    ///
    /// The processor has V's instruction set; the corners have arrays of whole vectors.
    #[inline(always)]
    pub unsafe fn find<V: Simd>(&mut self, corners: &Corners<V::Scalar>, position: usize) {
        for (k, found) in self.found.iter_mut().enumerate() {
            // SAFETY: the caller's promise; MAX_LANES is as much as any vector has.
            unsafe {
                V::store_addresses(corners.index.add(k * corners.stride + position), &self.pixels, found.as_mut_ptr());
            }
        }
    }

    /// The four corners of the position in `lane`.
    #[inline(always)]
    pub fn of<T>(&self, lane: usize) -> [*const T; 4] {
        [0, 1, 2, 3].map(|k: usize| with_exposed_provenance(self.found[k][lane]))
    }
}
