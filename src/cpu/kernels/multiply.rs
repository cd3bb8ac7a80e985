//! The micro-kernel: a tile of accumulators in registers, rows by broadcast, columns by vector. Forward: im2col
//! tile (positions) times packed weights (output channels). Backward, the left operand may be stored transposed.

use super::args::MultiplyArgs;
use crate::cpu::element::Compute;
use crate::cpu::prefetch::prefetch_far;
use crate::cpu::simd::Simd;

/// All rows of one panel of `VECTORS` vectors of columns, `ROWS` rows at a time. `TRANSPOSED`: the left operand is
/// stored with depth outside, rows inside.
///
/// # Safety
///
/// The processor has V's instruction set; `a` describes memory as [`MultiplyArgs`] says.
#[inline(always)]
pub unsafe fn multiply<V: Simd, const ROWS: usize, const VECTORS: usize, const TRANSPOSED: bool>(
    a: &MultiplyArgs<V::Scalar>,
) {
    let mut row = 0;
    // SAFETY: every call stays within the rows.
    unsafe {
        if ROWS <= a.rows && !a.next.is_null() {
            some_rows::<V, ROWS, VECTORS, TRANSPOSED, true>(a, row);
            row += ROWS;
        }
        while row + ROWS <= a.rows {
            some_rows::<V, ROWS, VECTORS, TRANSPOSED, false>(a, row);
            row += ROWS;
        }
        while row + 4 <= a.rows {
            some_rows::<V, 4, VECTORS, TRANSPOSED, false>(a, row);
            row += 4;
        }
        match a.rows - row {
            3 => some_rows::<V, 3, VECTORS, TRANSPOSED, false>(a, row),
            2 => some_rows::<V, 2, VECTORS, TRANSPOSED, false>(a, row),
            1 => some_rows::<V, 1, VECTORS, TRANSPOSED, false>(a, row),
            _ => {}
        }
    }
}

/// Each element's sum runs over the depth in order, whatever the number of rows, so tails have the same bits.
#[inline(always)]
unsafe fn some_rows<V: Simd, const ROWS: usize, const VECTORS: usize, const TRANSPOSED: bool, const AHEAD: bool>(
    a: &MultiplyArgs<V::Scalar>,
    first: usize,
) {
    // SAFETY: rows first..first + ROWS of left and acc, `depth` rows of right.
    unsafe {
        let mut sums = [[V::splat(V::Scalar::ZERO); VECTORS]; ROWS];
        let left = a.left.add(if TRANSPOSED { first } else { first * a.left_stride });
        let (mut right, mut next) = (a.right, a.next);
        for k in 0..a.depth {
            let mut columns = [V::splat(V::Scalar::ZERO); VECTORS];
            for (v, column) in columns.iter_mut().enumerate() {
                *column = V::load(right.add(v * V::LANES));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let at = if TRANSPOSED { k * a.left_stride + r } else { r * a.left_stride + k };
                let value = V::splat(*left.add(at));
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = value.mul_add(column, *sum);
                }
            }
            if AHEAD {
                for v in (0..VECTORS * V::LANES * size_of::<V::Scalar>()).step_by(64) {
                    prefetch_far(next.wrapping_byte_add(v));
                }
                next = next.wrapping_add(a.right_stride);
            }
            // Behind the last row it may lead out of the operand.
            right = right.wrapping_add(a.right_stride);
        }
        for (r, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                let to = a.acc.add((first + r) * a.acc_stride + v * V::LANES);
                if a.accumulate { V::load(to).add(*sum).store(to) } else { sum.store(to) }
            }
        }
    }
}
