//! Backward: from the corner dot products to the gradients of offset and mask, vectorised over positions.

use super::args::OffsetGradientsArgs;
use crate::cpu::element::Compute;
use crate::cpu::simd::Simd;
use crate::cpu::stored::Stored;

/// # Safety
///
/// The processor has V's instruction set; `a` describes memory as [`OffsetGradientsArgs`] says.
#[inline(always)]
pub unsafe fn offset_gradients<V: Simd<Scalar = T::Compute>, T: Stored<V>>(a: &OffsetGradientsArgs<T>) {
    // SAFETY: the caller's promise covers every vector that starts at a position.
    unsafe {
        let (zero, one) = (V::splat(V::Scalar::ZERO), V::splat(V::Scalar::ONE));
        let stride = a.corners.stride;
        let mut p = 0;
        while p < a.positions {
            let dots = V::load_fours(a.dots.add(4 * p));
            // A corner outside the image counts exactly 0, also where the gradient is infinite.
            let dot = |k: usize| dots[k].or_zero(V::inside(a.corners.index.add(k * stride + p)));
            let fraction = |k: usize| V::load(a.corners.fraction.add(k * stride + p));
            let (d00, d01, d10, d11) = (dot(0), dot(1), dot(2), dot(3));
            let (ly, lx, in_range) = (fraction(0), fraction(1), zero.less(fraction(2)));
            let (hy, hx) = (one.sub(ly), one.sub(lx));
            let (mask, n) = (a.mask.add(p), a.positions - p);
            let mask = if n < V::LANES { T::load_first(mask, n) } else { T::load(mask) };
            let by_y = hx.mul(d10.sub(d00)).add(lx.mul(d11.sub(d01)));
            let by_x = hy.mul(d01.sub(d00)).add(ly.mul(d11.sub(d10)));
            let value = hy.mul(hx.mul(d00).add(lx.mul(d01))).add(ly.mul(hx.mul(d10).add(lx.mul(d11))));
            for (k, gradient) in [mask.mul(by_y), mask.mul(by_x), value].into_iter().enumerate() {
                // Out of range the gradient is 0 whatever the other factors are.
                let gradient = gradient.or_zero(in_range);
                let to = a.to.add(k * a.to_stride + p);
                if a.accumulate { V::load(to).add(gradient).store(to) } else { gradient.store(to) }
            }
            p += V::LANES;
        }
    }
}
