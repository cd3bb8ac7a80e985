//! Writing an output tile: bias added, rounded once, for channel planes transposed in registers.

use super::args::StoreArgs;
use crate::cpu::simd::{MAX_LANES, Simd};
use crate::cpu::stored::Stored;

/// # Safety
///
/// The processor has V's instruction set; `a` describes memory as [`StoreArgs`] says, with `COLUMNS` columns.
#[inline(always)]
pub unsafe fn store_planes<V: Simd<Scalar = T::Compute>, T: Stored<V>, const COLUMNS: usize>(a: &StoreArgs<T>) {
    // SAFETY: blocks stay within the tile; of a transposed block only existing rows and positions are stored.
    unsafe {
        let mut column = 0;
        while column < a.columns {
            let bias = V::load(a.bias.add(column));
            let rows = V::LANES.min(a.columns - column);
            let mut p = 0;
            while p < a.positions {
                let n = V::LANES.min(a.positions - p);
                let mut block = [bias; MAX_LANES];
                for (r, value) in block.iter_mut().enumerate().take(n) {
                    *value = V::load(a.acc.add((p + r) * COLUMNS + column)).add(bias).canonical();
                }
                V::transpose(&mut block);
                for (r, value) in block.iter().enumerate().take(rows) {
                    let to = a.y.offset((column + r) as isize * a.stride).add(p);
                    if n == V::LANES { T::store(*value, to) } else { T::store_first(*value, to, n) }
                }
                p += V::LANES;
            }
            column += V::LANES;
        }
    }
}

/// # Safety
///
/// As [`store_planes`].
#[inline(always)]
pub unsafe fn store_pixels<V: Simd<Scalar = T::Compute>, T: Stored<V>, const COLUMNS: usize>(a: &StoreArgs<T>) {
    // SAFETY: columns of the panel; of the last vector only existing ones are stored.
    unsafe {
        for p in 0..a.positions {
            let to = a.y.offset(p as isize * a.stride);
            let mut column = 0;
            while column < a.columns {
                let n = V::LANES.min(a.columns - column);
                let sum = V::load(a.acc.add(p * COLUMNS + column)).add(V::load(a.bias.add(column))).canonical();
                let to = to.add(column);
                if n == V::LANES {
                    T::store(sum, to)
                } else {
                    T::store_first(sum, to, n)
                }
                column += V::LANES;
            }
        }
    }
}
