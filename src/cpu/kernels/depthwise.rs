//! Products of one channel with one channel, vectorised across channels: what the micro-kernel is to groups, for groups of
//! one channel.

use super::args::{ColumnDotsArgs, ScaleArgs};
use crate::cpu::element::Compute;
use crate::cpu::simd::Simd;

/// # Safety
///
/// The processor has V's instruction set; `a` describes memory as [`ScaleArgs`] says.
#[inline(always)]
pub unsafe fn scale<V: Simd, const VECTORS: usize>(a: &ScaleArgs<V::Scalar>) {
    // SAFETY: rows of left and acc, one row of scale.
    unsafe {
        let mut scales = [V::splat(V::Scalar::ZERO); VECTORS];
        for (v, scale) in scales.iter_mut().enumerate() {
            *scale = V::load(a.scale.add(v * V::LANES));
        }
        for row in 0..a.rows {
            for (v, scale) in scales.iter().enumerate() {
                let left = V::load(a.left.add(row * a.left_stride + v * V::LANES));
                let to = a.acc.add(row * a.acc_stride + v * V::LANES);
                if a.accumulate { left.mul_add(*scale, V::load(to)).store(to) } else { left.mul(*scale).store(to) }
            }
        }
    }
}

/// # Safety
///
/// The processor has V's instruction set; `a` describes memory as [`ColumnDotsArgs`] says.
#[inline(always)]
pub unsafe fn column_dots<V: Simd, const VECTORS: usize>(a: &ColumnDotsArgs<V::Scalar>) {
    // SAFETY: rows of left and right, one row of acc.
    unsafe {
        let mut sums = [V::splat(V::Scalar::ZERO); VECTORS];
        for row in 0..a.rows {
            for (v, sum) in sums.iter_mut().enumerate() {
                let left = V::load(a.left.add(row * a.left_stride + v * V::LANES));
                *sum = left.mul_add(V::load(a.right.add(row * a.right_stride + v * V::LANES)), *sum);
            }
        }
        for (v, sum) in sums.iter().enumerate() {
            let to = a.acc.add(v * V::LANES);
            if a.accumulate { V::load(to).add(*sum).store(to) } else { sum.store(to) }
        }
    }
}
