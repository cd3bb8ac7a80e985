//! Writing an output tile to channel planes: bias added, transposed in registers.

use super::args::StorePlanesArgs;
use crate::cpu::simd::{MAX_LANES, Simd};

/// # Safety
///
/// The processor has V's instruction set; `a` describes memory as [`StorePlanesArgs`] says, with `COLUMNS` columns.
#[inline(always)]
pub unsafe fn store_planes<V: Simd, const COLUMNS: usize>(a: &StorePlanesArgs<V::Scalar>) {
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
                    let to = a.y.offset((column + r) as isize * a.plane_stride).add(p);
                    if n == V::LANES { value.store(to) } else { value.store_first(to, n) }
                }
                p += V::LANES;
            }
            column += V::LANES;
        }
    }
}
