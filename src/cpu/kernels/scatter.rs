//! Backward: the gradient of a sample goes to its corners.

use super::args::ScatterArgs;
use crate::cpu::simd::Simd;

/// # Safety
///
/// The processor has V's instruction set; `a` describes memory as [`ScatterArgs`] says.
#[inline(always)]
pub unsafe fn scatter<V: Simd>(a: &ScatterArgs<V::Scalar>) {
    // SAFETY: an index that is not negative is a pixel of the image, with `channels` elements; rows of gcol likewise.
    unsafe {
        for p in 0..a.positions {
            let gcol = a.gcol.add(p * a.gcol_stride);
            for k in 0..4 {
                let index = *a.corners.index.add(k * a.corners.stride + p);
                if index < 0 {
                    continue;
                }
                let weight = V::splat(*a.corners.weight.add(k * a.corners.stride + p));
                let to = a.grad_image.add(index as usize * a.pixel_stride);
                let mut c = 0;
                while c + V::LANES <= a.channels {
                    weight.mul_add(V::load(gcol.add(c)), V::load(to.add(c))).store(to.add(c));
                    c += V::LANES;
                }
                if c < a.channels {
                    let n = a.channels - c;
                    let sum = weight.mul_add(V::load_first(gcol.add(c), n), V::load_first(to.add(c), n));
                    sum.store_first(to.add(c), n);
                }
            }
        }
    }
}
