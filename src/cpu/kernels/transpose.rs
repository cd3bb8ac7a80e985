//! NCHW to NHWC, one image (or a run of its pixels) at a time.

use super::args::TransposeArgs;
use crate::cpu::element::Compute;
use crate::cpu::prefetch::prefetch_read;
use crate::cpu::simd::{MAX_LANES, Simd};

/// Pixels transposed for all channels before the next ones are: their rows of the destination stay in the first-level
/// cache until every channel is written.
const PIXEL_BLOCK: usize = 64;

/// # Safety
///
/// The processor has V's instruction set; `a` describes memory as [`TransposeArgs`] says.
#[inline(always)]
pub unsafe fn planes_to_pixels<V: Simd>(a: &TransposeArgs<V::Scalar>) {
    // SAFETY: whole blocks lie inside; tails go element by element.
    unsafe {
        let mut first = 0;
        while first < a.pixels {
            let last = a.pixels.min(first + PIXEL_BLOCK);
            let mut c = 0;
            while c < a.channels {
                let n = V::LANES.min(a.channels - c);
                let mut p = first;
                while n == V::LANES && p + V::LANES <= last {
                    let mut block = [V::splat(V::Scalar::ZERO); MAX_LANES];
                    for (k, plane) in block.iter_mut().enumerate().take(V::LANES) {
                        let from = a.planes.offset((c + k) as isize * a.plane_stride).add(p);
                        prefetch_read(from.wrapping_add(PIXEL_BLOCK));
                        *plane = V::load(from);
                    }
                    V::transpose(&mut block);
                    for (k, pixel) in block.iter().enumerate().take(V::LANES) {
                        pixel.store(a.to.add((p + k) * a.pixel_stride + c));
                    }
                    p += V::LANES;
                }
                for k in c..c + n {
                    let plane = a.planes.offset(k as isize * a.plane_stride);
                    for p in p..last {
                        *a.to.add(p * a.pixel_stride + k) = *plane.add(p);
                    }
                }
                c += n;
            }
            first = last;
        }
    }
}
