//! Bilinear sampling across channels: four weighted vector loads for each vector of channels, no branch on borders.
//!
//! Nothing here is done in a closure: iterator adaptors and `array::map` are functions of their own, without the
//! instruction set, which the compiler may choose not to inline; then every intrinsic in the closure is a call.

use super::args::SampleArgs;
use super::corner_addresses::CornerAddresses;
use crate::cpu::element::Compute;
use crate::cpu::simd::Simd;

/// # Safety
///
/// The processor has V's instruction set; `a` describes memory as [`SampleArgs`] says.
#[inline(always)]
pub unsafe fn sample<V: Simd>(a: &SampleArgs<V::Scalar>) {
    // SAFETY: the caller's promise.
    unsafe {
        // Of few channels the number is known to the loop, which then has nothing to do but sample.
        match a.channels {
            n if n == V::Half::LANES => positions::<V, V::Half, 1>(a),
            n if n == V::LANES => positions::<V, V, 1>(a),
            _ => positions::<V, V, 0>(a),
        }
    }
}

/// All positions, with coordinates in vectors V and channels in `VECTORS` vectors W; 0 stands for any number of
/// channels.
#[inline(always)]
unsafe fn positions<V: Simd, W: Simd<Scalar = V::Scalar>, const VECTORS: usize>(a: &SampleArgs<V::Scalar>) {
    let mut corners = CornerAddresses::new(a.image, a.pixel_stride, V::Scalar::ZEROS);
    let mut first = 0;
    // SAFETY: corners are pixels or zeros, both with `channels` elements; rows of col likewise.
    unsafe {
        while first < a.positions {
            corners.find::<V>(&a.corners, first);
            for lane in 0..V::LANES.min(a.positions - first) {
                let p = first + lane;
                let weights = a.corners.weights(p);
                let (corners, col) = (corners.of(lane), a.col.add(p * a.col_stride));
                if VECTORS == 0 {
                    any_channels::<V>(corners, weights, col, a.channels);
                } else {
                    for v in 0..VECTORS {
                        blend::<W>(corners, weights, v * W::LANES).store(col.add(v * W::LANES));
                    }
                }
            }
            first += V::LANES;
        }
    }
}

#[inline(always)]
unsafe fn any_channels<V: Simd>(
    corners: [*const V::Scalar; 4],
    weights: [V::Scalar; 4],
    col: *mut V::Scalar,
    channels: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut c = 0;
        while c + V::LANES <= channels {
            blend::<V>(corners, weights, c).store(col.add(c));
            c += V::LANES;
        }
        if c + V::Half::LANES <= channels {
            blend::<V::Half>(corners, weights, c).store(col.add(c));
            c += V::Half::LANES;
        }
        if c < channels {
            blend_first::<V::Half>(corners, weights, c, channels - c).store_first(col.add(c), channels - c);
        }
    }
}

/// A vector of channels from `c` on.
///
/// # Safety
///
/// The processor has V's instruction set; the corners have the channels.
#[inline(always)]
pub(super) unsafe fn blend<V: Simd>(corners: [*const V::Scalar; 4], weights: [V::Scalar; 4], c: usize) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        let [v00, v01, v10, v11] = corners;
        let values = [V::load(v00.add(c)), V::load(v01.add(c)), V::load(v10.add(c)), V::load(v11.add(c))];
        weighted(values, splats(weights))
    }
}

/// The first `n` lanes of a vector of channels from `c` on.
///
/// # Safety
///
/// As [`blend`].
#[inline(always)]
pub(super) unsafe fn blend_first<V: Simd>(
    corners: [*const V::Scalar; 4],
    weights: [V::Scalar; 4],
    c: usize,
    n: usize,
) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        let [v00, v01, v10, v11] = corners;
        let (v00, v01) = (V::load_first(v00.add(c), n), V::load_first(v01.add(c), n));
        let (v10, v11) = (V::load_first(v10.add(c), n), V::load_first(v11.add(c), n));
        weighted([v00, v01, v10, v11], splats(weights))
    }
}

/// Each value in all lanes.
///
/// # Safety
///
/// The processor has V's instruction set.
#[inline(always)]
pub(super) unsafe fn splats<V: Simd>([a, b, c, d]: [V::Scalar; 4]) -> [V; 4] {
    // SAFETY: the caller's promise.
    unsafe { [V::splat(a), V::splat(b), V::splat(c), V::splat(d)] }
}

/// What the corners' values make together.
///
/// # Safety
///
/// The processor has V's instruction set.
#[inline(always)]
pub(super) unsafe fn weighted<V: Simd>([v00, v01, v10, v11]: [V; 4], [w00, w01, w10, w11]: [V; 4]) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        let s = w01.mul_add(v01, w00.mul(v00));
        w11.mul_add(v11, w10.mul_add(v10, s))
    }
}
