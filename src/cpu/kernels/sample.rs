//! Bilinear sampling across channels: four weighted vector loads for each vector of channels, no branch on borders.

use super::args::SampleArgs;
use crate::cpu::element::Compute;
use crate::cpu::simd::Simd;

/// Where the channels of a corner are: in the image, or zeros. Reading zeros, not a clamped pixel of weight 0, keeps an
/// infinity beside the border from becoming NaN.
///
/// # Safety
///
/// `index` is -1 or a pixel of the image.
#[inline(always)]
pub(super) unsafe fn corner<T: Compute>(image: *const T, index: i32, pixel_stride: usize) -> *const T {
    if index < 0 {
        T::ZEROS
    } else {
        // SAFETY: a pixel of the image.
        unsafe { image.add(index as usize * pixel_stride) }
    }
}

/// # Safety
///
/// The processor has V's instruction set; `a` describes memory as [`SampleArgs`] says.
#[inline(always)]
pub unsafe fn sample<V: Simd>(a: &SampleArgs<V::Scalar>) {
    // SAFETY: corners are pixels or zeros, both with `channels` elements; rows of col likewise.
    unsafe {
        let stride = a.corners.stride;
        for p in 0..a.positions {
            let index = |k: usize| *a.corners.index.add(k * stride + p);
            let weight = |k: usize| V::splat(*a.corners.weight.add(k * stride + p));
            let v00 = corner(a.image, index(0), a.pixel_stride);
            let v01 = corner(a.image, index(1), a.pixel_stride);
            let v10 = corner(a.image, index(2), a.pixel_stride);
            let v11 = corner(a.image, index(3), a.pixel_stride);
            let (w00, w01, w10, w11) = (weight(0), weight(1), weight(2), weight(3));
            let col = a.col.add(p * a.col_stride);
            let mut c = 0;
            while c + V::LANES <= a.channels {
                let s = w00.mul(V::load(v00.add(c)));
                let s = w01.mul_add(V::load(v01.add(c)), s);
                let s = w10.mul_add(V::load(v10.add(c)), s);
                let s = w11.mul_add(V::load(v11.add(c)), s);
                s.store(col.add(c));
                c += V::LANES;
            }
            if c < a.channels {
                let n = a.channels - c;
                let s = w00.mul(V::load_first(v00.add(c), n));
                let s = w01.mul_add(V::load_first(v01.add(c), n), s);
                let s = w10.mul_add(V::load_first(v10.add(c), n), s);
                let s = w11.mul_add(V::load_first(v11.add(c), n), s);
                s.store_first(col.add(c), n);
            }
        }
    }
}
