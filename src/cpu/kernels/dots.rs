//! Backward: what a sample's four corners contribute to the gradients of offset and mask.

use super::args::DotsArgs;
use super::sample::corner;
use crate::cpu::element::Compute;
use crate::cpu::simd::Simd;

/// # Safety
///
/// The processor has V's instruction set; `a` describes memory as [`DotsArgs`] says.
#[inline(always)]
pub unsafe fn dots<V: Simd>(a: &DotsArgs<V::Scalar>) {
    // SAFETY: corners are pixels or zeros, both with `channels` elements; rows of gcol likewise.
    unsafe {
        for p in 0..a.positions {
            let gcol = a.gcol.add(p * a.gcol_stride);
            let mut sums = [V::splat(V::Scalar::ZERO); 4];
            let mut corners = [gcol; 4];
            for (k, corner_k) in corners.iter_mut().enumerate() {
                *corner_k = corner(a.image, *a.corners.index.add(k * a.corners.stride + p), a.pixel_stride);
            }
            let mut c = 0;
            while c + V::LANES <= a.channels {
                let g = V::load(gcol.add(c));
                for (sum, corner) in sums.iter_mut().zip(corners) {
                    *sum = g.mul_add(V::load(corner.add(c)), *sum);
                }
                c += V::LANES;
            }
            if c < a.channels {
                let n = a.channels - c;
                let g = V::load_first(gcol.add(c), n);
                for (sum, corner) in sums.iter_mut().zip(corners) {
                    *sum = g.mul_add(V::load_first(corner.add(c), n), *sum);
                }
            }
            for (k, sum) in V::sums(sums).into_iter().enumerate() {
                // A corner outside the image counts exactly 0, also where the gradient is infinite.
                let outside = *a.corners.index.add(k * a.corners.stride + p) < 0;
                *a.dots.add(k * a.corners.stride + p) = if outside { V::Scalar::ZERO } else { sum };
            }
        }
    }
}
