//! The micro-kernel: a tile of accumulators in registers, rows (positions) by broadcast from the im2col tile, columns
//! (output channels) by vector from the packed weights.

use super::args::MultiplyArgs;
use crate::cpu::element::Compute;
use crate::cpu::simd::Simd;

/// All positions of one panel of `VECTORS` vectors of output channels, `ROWS` positions at a time.
///
/// # Safety
///
/// The processor has V's instruction set; `a` describes memory as [`MultiplyArgs`] says.
#[inline(always)]
pub unsafe fn multiply<V: Simd, const ROWS: usize, const VECTORS: usize>(a: &MultiplyArgs<V::Scalar>) {
    let mut row = 0;
    // SAFETY: every call stays within `positions` rows.
    unsafe {
        while row + ROWS <= a.positions {
            rows::<V, ROWS, VECTORS>(a, row);
            row += ROWS;
        }
        while row + 4 <= a.positions {
            rows::<V, 4, VECTORS>(a, row);
            row += 4;
        }
        match a.positions - row {
            3 => rows::<V, 3, VECTORS>(a, row),
            2 => rows::<V, 2, VECTORS>(a, row),
            1 => rows::<V, 1, VECTORS>(a, row),
            _ => {}
        }
    }
}

/// Each element's sum runs over the depth in order, whatever the number of rows, so tails have the same bits.
#[inline(always)]
unsafe fn rows<V: Simd, const ROWS: usize, const VECTORS: usize>(a: &MultiplyArgs<V::Scalar>, first: usize) {
    // SAFETY: rows first..first + ROWS of col and acc, `depth` rows of packed.
    unsafe {
        let mut sums = [[V::splat(V::Scalar::ZERO); VECTORS]; ROWS];
        let col = a.col.add(first * a.col_stride);
        let mut packed = a.packed;
        for k in 0..a.depth {
            let mut columns = [V::splat(V::Scalar::ZERO); VECTORS];
            for (v, column) in columns.iter_mut().enumerate() {
                *column = V::load(packed.add(v * V::LANES));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let value = V::splat(*col.add(r * a.col_stride + k));
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = value.mul_add(column, *sum);
                }
            }
            packed = packed.add(VECTORS * V::LANES);
        }
        let acc = a.acc.add(first * VECTORS * V::LANES);
        for (r, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                let to = acc.add((r * VECTORS + v) * V::LANES);
                if a.accumulate { V::load(to).add(*sum).store(to) } else { sum.store(to) }
            }
        }
    }
}
