//! Backward: what a sample's four corners contribute to the gradients of offset and mask.

use super::args::DotsArgs;
use super::corner_addresses::CornerAddresses;
use crate::cpu::element::Compute;
use crate::cpu::simd::Simd;

/// # Safety
///
/// The processor has V's instruction set; `a` describes memory as [`DotsArgs`] says.
#[inline(always)]
pub unsafe fn dots<V: Simd>(a: &DotsArgs<V::Scalar>) {
    let mut corners = CornerAddresses::new(a.image, a.pixel_stride);
    let mut first = 0;
    // SAFETY: corners are pixels or zeros, both with `channels` elements; rows of gcol likewise.
    unsafe {
        while first < a.positions {
            corners.find::<V>(&a.corners, first);
            for lane in 0..V::LANES.min(a.positions - first) {
                let p = first + lane;
                let sums = position::<V>(a.gcol.add(p * a.gcol_stride), corners.of(lane), a.channels);
                for (k, sum) in V::sums(sums).into_iter().enumerate() {
                    // A corner outside the image counts exactly 0, also where the gradient is infinite.
                    let outside = *a.corners.index.add(k * a.corners.stride + p) < 0;
                    *a.dots.add(k * a.corners.stride + p) = if outside { V::Scalar::ZERO } else { sum };
                }
            }
            first += V::LANES;
        }
    }
}

/// The column gradient times each corner, lane by lane.
#[inline(always)]
unsafe fn position<V: Simd>(gcol: *const V::Scalar, corners: [*const V::Scalar; 4], channels: usize) -> [V; 4] {
    // SAFETY: the caller's promise: gcol and corners have `channels` elements.
    unsafe {
        let mut sums = [V::splat(V::Scalar::ZERO); 4];
        let mut c = 0;
        while c + V::LANES <= channels {
            let g = V::load(gcol.add(c));
            for (sum, corner) in sums.iter_mut().zip(corners) {
                *sum = g.mul_add(V::load(corner.add(c)), *sum);
            }
            c += V::LANES;
        }
        if c < channels {
            let n = channels - c;
            let g = V::load_first(gcol.add(c), n);
            for (sum, corner) in sums.iter_mut().zip(corners) {
                *sum = g.mul_add(V::load_first(corner.add(c), n), *sum);
            }
        }
        sums
    }
}
