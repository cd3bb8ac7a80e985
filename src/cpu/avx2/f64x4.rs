//! Four f64 in a ymm register.

use crate::cpu::simd::{MAX_LANES, PixelAddresses, Simd, intrinsics};
use std::arch::x86_64::*;

#[derive(Clone, Copy)]
pub struct F64x4(__m256d);

/// The sign bit is set in the first n lanes.
#[inline(always)]
unsafe fn first(n: usize) -> __m256i {
    // SAFETY: the caller's processor has AVX2.
    unsafe { _mm256_cmpgt_epi64(_mm256_set1_epi64x(n as i64), _mm256_setr_epi64x(0, 1, 2, 3)) }
}

// SAFETY (all): the trait's promise is the intrinsics' requirement.
impl Simd for F64x4 {
    type Scalar = f64;
    type Mask = __m256d;
    type Half = Self;
    const LANES: usize = 4;

    intrinsics! {
        splat: _mm256_set1_pd, load: _mm256_loadu_pd, store: _mm256_storeu_pd,
        add: _mm256_add_pd, sub: _mm256_sub_pd, mul: _mm256_mul_pd, max: _mm256_max_pd,
    }
    #[inline(always)]
    unsafe fn load_first(from: *const f64, n: usize) -> Self {
        Self(unsafe { _mm256_maskload_pd(from, first(n)) })
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f64, n: usize) {
        unsafe { _mm256_maskstore_pd(to, first(n), self.0) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        Self(unsafe { _mm256_fmadd_pd(self.0, factor.0, addend.0) })
    }
    #[inline(always)]
    unsafe fn floor(self) -> Self {
        Self(unsafe { _mm256_floor_pd(self.0) })
    }
    #[inline(always)]
    unsafe fn less(self, other: Self) -> __m256d {
        unsafe { _mm256_cmp_pd::<_CMP_LT_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    unsafe fn both(a: __m256d, b: __m256d) -> __m256d {
        unsafe { _mm256_and_pd(a, b) }
    }
    #[inline(always)]
    unsafe fn or_zero(self, mask: __m256d) -> Self {
        Self(unsafe { _mm256_and_pd(self.0, mask) })
    }
    #[inline(always)]
    unsafe fn canonical(self) -> Self {
        unsafe {
            let number = _mm256_cmp_pd::<_CMP_ORD_Q>(self.0, self.0);
            Self(_mm256_blendv_pd(_mm256_set1_pd(f64::NAN), self.0, number))
        }
    }
    #[inline(always)]
    unsafe fn store_pixel_index(y: Self, x: Self, width: i32, mask: __m256d, to: *mut i32) {
        unsafe {
            let row = _mm_mullo_epi32(_mm256_cvttpd_epi32(y.0), _mm_set1_epi32(width));
            let pixel = _mm_add_epi32(row, _mm256_cvttpd_epi32(x.0));
            // The upper half of each 64-bit lane of the mask, as 32-bit lanes.
            let mask = _mm256_castpd_ps(mask);
            let (low, high) = (_mm256_castps256_ps128(mask), _mm256_extractf128_ps::<1>(mask));
            let mask = _mm_castps_si128(_mm_shuffle_ps::<0xdd>(low, high));
            _mm_storeu_si128(to.cast(), _mm_or_si128(pixel, _mm_andnot_si128(mask, _mm_set1_epi32(-1))));
        }
    }
    #[inline(always)]
    unsafe fn inside(index: *const i32) -> __m256d {
        unsafe {
            _mm256_castsi256_pd(_mm256_cvtepi32_epi64(_mm_cmpgt_epi32(
                _mm_loadu_si128(index.cast()),
                _mm_set1_epi32(-1),
            )))
        }
    }
    #[inline(always)]
    unsafe fn store_addresses(index: *const i32, pixels: &PixelAddresses, to: *mut usize) {
        unsafe {
            let index = _mm256_cvtepi32_epi64(_mm_loadu_si128(index.cast()));
            let times = |factor: usize| _mm256_mul_epu32(index, _mm256_set1_epi64x(factor as i64));
            // There is no product of 64 bits.
            let distance = _mm256_add_epi64(times(pixels.stride), _mm256_slli_epi64::<32>(times(pixels.stride >> 32)));
            let address = _mm256_add_epi64(distance, _mm256_set1_epi64x(pixels.first as i64));
            let outside = _mm256_set1_epi64x(pixels.outside as i64);
            let (address, outside) = (_mm256_castsi256_pd(address), _mm256_castsi256_pd(outside));
            let index = _mm256_castsi256_pd(index);
            _mm256_storeu_pd(to.cast(), _mm256_blendv_pd(address, outside, index));
        }
    }
    #[inline(always)]
    unsafe fn load_fours(from: *const f64) -> [Self; 4] {
        unsafe {
            let mut block = [Self(_mm256_setzero_pd()); MAX_LANES];
            for (i, group) in block.iter_mut().enumerate().take(4) {
                *group = Self::load(from.add(4 * i));
            }
            Self::transpose(&mut block);
            [block[0], block[1], block[2], block[3]]
        }
    }
    #[inline(always)]
    unsafe fn sums([a, b, c, d]: [Self; 4]) -> [f64; 4] {
        unsafe {
            let mut sums = [0.0; 4];
            for (i, pairs) in [_mm256_hadd_pd(a.0, b.0), _mm256_hadd_pd(c.0, d.0)].into_iter().enumerate() {
                let total = _mm_add_pd(_mm256_castpd256_pd128(pairs), _mm256_extractf128_pd::<1>(pairs));
                _mm_storeu_pd(sums.as_mut_ptr().add(2 * i), total);
            }
            sums
        }
    }
    #[inline(always)]
    unsafe fn transpose(block: &mut [Self; MAX_LANES]) {
        unsafe {
            let [a, b, c, d] = [block[0].0, block[1].0, block[2].0, block[3].0];
            let (ab0, ab1) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
            let (cd0, cd1) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
            block[0] = Self(_mm256_permute2f128_pd::<0x20>(ab0, cd0));
            block[1] = Self(_mm256_permute2f128_pd::<0x20>(ab1, cd1));
            block[2] = Self(_mm256_permute2f128_pd::<0x31>(ab0, cd0));
            block[3] = Self(_mm256_permute2f128_pd::<0x31>(ab1, cd1));
        }
    }
}
