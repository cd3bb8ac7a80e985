//! NCHW to NHWC, one image (or a run of its pixels) at a time.

use super::args::TransposeArgs;
use crate::cpu::element::Compute;
use crate::cpu::prefetch::prefetch_read;
use crate::cpu::simd::{MAX_LANES, Simd};
use std::ops::Range;

/// Pixels transposed for all channels before the next ones are: their rows of the destination stay in the first-level
/// cache until every channel is written.
const PIXEL_BLOCK: usize = 64;

/// # Safety
///
/// The processor has V's instruction set; `a` describes memory as [`TransposeArgs`] says.
#[inline(always)]
pub unsafe fn planes_to_pixels<V: Simd>(a: &TransposeArgs<V::Scalar>) {
    // SAFETY: the channels and pixels exist.
    unsafe {
        for first in (0..a.pixels).step_by(PIXEL_BLOCK) {
            let pixels = first..a.pixels.min(first + PIXEL_BLOCK);
            let mut c = 0;
            while c < a.channels {
                c += match a.channels - c {
                    n if n >= V::LANES => channels::<V>(a, c, pixels.clone(), V::LANES),
                    n if n >= V::Half::LANES => channels::<V::Half>(a, c, pixels.clone(), V::Half::LANES),
                    n => channels::<V>(a, c, pixels.clone(), n),
                };
            }
        }
    }
}

/// `n` channels from `c` on: in squares, if there are as many as V has lanes, and what is left element by element.
#[inline(always)]
unsafe fn channels<V: Simd>(a: &TransposeArgs<V::Scalar>, c: usize, pixels: Range<usize>, n: usize) -> usize {
    // SAFETY: the caller's promise; squares lie inside.
    unsafe {
        let mut first = pixels.start;
        while n == V::LANES && first + V::LANES <= pixels.end {
            let mut block = [V::splat(V::Scalar::ZERO); MAX_LANES];
            for (k, plane) in block.iter_mut().enumerate().take(V::LANES) {
                let from = a.planes.offset((c + k) as isize * a.plane_stride).add(first);
                prefetch_read(from.wrapping_add(PIXEL_BLOCK));
                *plane = V::load(from);
            }
            V::transpose(&mut block);
            for (k, pixel) in block.iter().enumerate().take(V::LANES) {
                pixel.canonical().store(a.to.add((first + k) * a.pixel_stride + c));
            }
            first += V::LANES;
        }
        for k in c..c + n {
            let plane = a.planes.offset(k as isize * a.plane_stride);
            for p in first..pixels.end {
                *a.to.add(p * a.pixel_stride + k) = (*plane.add(p)).canonical();
            }
        }
        n
    }
}
