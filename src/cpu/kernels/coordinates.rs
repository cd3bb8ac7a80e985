//! Sampling coordinates, vectorised over positions.

use super::args::{CoordinatesArgs, Reach};
use crate::cpu::element::Compute;
use crate::cpu::simd::{MAX_LANES, Simd};
use crate::cpu::stored::Stored;

/// # Safety
///
/// The processor has V's instruction set; `a` describes memory as [`CoordinatesArgs`] says.
#[inline(always)]
pub unsafe fn coordinates<V: Simd<Scalar = T::Compute>, T: Stored<V>>(a: &CoordinatesArgs<T>) -> Reach<V::Scalar> {
    // SAFETY: the caller's promise covers every vector that starts at a position.
    unsafe {
        let one = V::splat(V::Scalar::ONE);
        let minus_one = V::splat(-V::Scalar::ONE);
        let (tap_y, tap_x) = (V::splat(a.tap_y), V::splat(a.tap_x));
        let height = V::splat(V::Scalar::from_i64(a.height.into()));
        let width = V::splat(V::Scalar::from_i64(a.width.into()));
        let (index, weight, stride) = (a.corners.index, a.corners.weight, a.corners.stride);
        let (mut deepest, mut highest) = (V::splat(V::Scalar::ZERO), V::splat(V::Scalar::ZERO));
        let mut p = 0;
        while p < a.positions {
            let n = a.positions - p;
            let read = |values: *const T| {
                if n < V::LANES { T::load_first(values.add(p), n) } else { T::load(values.add(p)) }
            };
            // The base is exact; the sum with the offset is the one rounding that the contract has.
            let y = V::load(a.base_y.add(p)).add(tap_y).add(read(a.offset_y));
            let x = V::load(a.base_x.add(p)).add(tap_x).add(read(a.offset_x));
            let in_y = V::both(minus_one.less(y), y.less(height));
            let in_x = V::both(minus_one.less(x), x.less(width));
            let in_range = V::both(in_y, in_x);
            // Lanes behind the last position may have their say: that makes it reach no less far.
            deepest = deepest.max(y.or_zero(in_range));
            highest = highest.max(height.sub(y).or_zero(in_range));
            let (y0, x0) = (y.floor(), x.floor());
            let (y1, x1) = (y0.add(one), x0.add(one));
            let (ly, lx) = (y.sub(y0), x.sub(x0));
            // Out of range all four weights are 0 * mask: 0, or not finite where the mask is not.
            let (wy0, wy1) = (one.sub(ly).or_zero(in_range), ly.or_zero(in_range));
            let (wx0, wx1) = (one.sub(lx).or_zero(in_range), lx.or_zero(in_range));
            let mask = read(a.mask);
            wy0.mul(wx0).mul(mask).store(weight.add(p));
            wy0.mul(wx1).mul(mask).store(weight.add(stride + p));
            wy1.mul(wx0).mul(mask).store(weight.add(2 * stride + p));
            wy1.mul(wx1).mul(mask).store(weight.add(3 * stride + p));
            let fraction = a.corners.fraction;
            if !fraction.is_null() {
                wy1.store(fraction.add(p));
                wx1.store(fraction.add(stride + p));
                one.or_zero(in_range).store(fraction.add(2 * stride + p));
            }
            let top = V::both(in_range, minus_one.less(y0));
            let bottom = V::both(in_range, y1.less(height));
            let (left, right) = (minus_one.less(x0), x1.less(width));
            V::store_pixel_index(y0, x0, a.width, V::both(top, left), index.add(p));
            V::store_pixel_index(y0, x1, a.width, V::both(top, right), index.add(stride + p));
            V::store_pixel_index(y1, x0, a.width, V::both(bottom, left), index.add(2 * stride + p));
            V::store_pixel_index(y1, x1, a.width, V::both(bottom, right), index.add(3 * stride + p));
            p += V::LANES;
        }
        Reach { deepest: greatest(deepest), highest: greatest(highest) }
    }
}

/// The greatest lane.
#[inline(always)]
unsafe fn greatest<V: Simd>(vector: V) -> V::Scalar {
    let mut lanes = [V::Scalar::ZERO; MAX_LANES];
    // SAFETY: there is room for all lanes.
    unsafe { vector.store(lanes.as_mut_ptr()) };
    lanes.into_iter().fold(V::Scalar::ZERO, |a, b| if a < b { b } else { a })
}
