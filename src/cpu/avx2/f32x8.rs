//! Eight f32 in a ymm register.

use super::f64x4::F64x4;
use crate::cpu::simd::{HalfPrecision, MAX_LANES, PixelAddresses, Simd, intrinsics};
use std::arch::x86_64::*;

#[derive(Clone, Copy)]
pub struct F32x8(__m256);

/// The sign bit is set in the first n lanes.
#[inline(always)]
unsafe fn first(n: usize) -> __m256i {
    // SAFETY: the caller's processor has AVX2.
    unsafe { _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)) }
}

// SAFETY (all): the trait's promise is the intrinsics' requirement.
impl Simd for F32x8 {
    type Scalar = f32;
    type Mask = __m256;
    type Half = Self;
    const LANES: usize = 8;

    intrinsics! {
        splat: _mm256_set1_ps, load: _mm256_loadu_ps, store: _mm256_storeu_ps,
        add: _mm256_add_ps, sub: _mm256_sub_ps, mul: _mm256_mul_ps, max: _mm256_max_ps,
    }
    #[inline(always)]
    unsafe fn load_first(from: *const f32, n: usize) -> Self {
        Self(unsafe { _mm256_maskload_ps(from, first(n)) })
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, n: usize) {
        unsafe { _mm256_maskstore_ps(to, first(n), self.0) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        Self(unsafe { _mm256_fmadd_ps(self.0, factor.0, addend.0) })
    }
    #[inline(always)]
    unsafe fn floor(self) -> Self {
        Self(unsafe { _mm256_floor_ps(self.0) })
    }
    #[inline(always)]
    unsafe fn less(self, other: Self) -> __m256 {
        unsafe { _mm256_cmp_ps::<_CMP_LT_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    unsafe fn both(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_and_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn or_zero(self, mask: __m256) -> Self {
        Self(unsafe { _mm256_and_ps(self.0, mask) })
    }
    #[inline(always)]
    unsafe fn canonical(self) -> Self {
        unsafe {
            let number = _mm256_cmp_ps::<_CMP_ORD_Q>(self.0, self.0);
            Self(_mm256_blendv_ps(_mm256_set1_ps(f32::NAN), self.0, number))
        }
    }
    #[inline(always)]
    unsafe fn store_pixel_index(y: Self, x: Self, width: i32, mask: __m256, to: *mut i32) {
        unsafe {
            let row = _mm256_mullo_epi32(_mm256_cvttps_epi32(y.0), _mm256_set1_epi32(width));
            let pixel = _mm256_add_epi32(row, _mm256_cvttps_epi32(x.0));
            let outside = _mm256_andnot_si256(_mm256_castps_si256(mask), _mm256_set1_epi32(-1));
            _mm256_storeu_si256(to.cast(), _mm256_or_si256(pixel, outside));
        }
    }
    #[inline(always)]
    unsafe fn inside(index: *const i32) -> __m256 {
        unsafe { _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_loadu_si256(index.cast()), _mm256_set1_epi32(-1))) }
    }
    #[inline(always)]
    unsafe fn store_addresses(index: *const i32, pixels: &PixelAddresses, to: *mut usize) {
        unsafe {
            F64x4::store_addresses(index, pixels, to);
            F64x4::store_addresses(index.add(4), pixels, to.add(4));
        }
    }
    #[inline(always)]
    unsafe fn load_fours(from: *const f32) -> [Self; 4] {
        unsafe {
            // Groups i and i + 4 in the two halves of a register.
            let halves = |i: usize| {
                let low = _mm256_castps128_ps256(_mm_loadu_ps(from.add(4 * i)));
                _mm256_insertf128_ps::<1>(low, _mm_loadu_ps(from.add(4 * (i + 4))))
            };
            let (a, b, c, d) = (halves(0), halves(1), halves(2), halves(3));
            let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
            let (ab_high, cd_high) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
            [
                Self(_mm256_shuffle_ps::<0x44>(ab, cd)),
                Self(_mm256_shuffle_ps::<0xee>(ab, cd)),
                Self(_mm256_shuffle_ps::<0x44>(ab_high, cd_high)),
                Self(_mm256_shuffle_ps::<0xee>(ab_high, cd_high)),
            ]
        }
    }
    #[inline(always)]
    unsafe fn sums([a, b, c, d]: [Self; 4]) -> [f32; 4] {
        unsafe {
            let pairs = (_mm256_hadd_ps(a.0, b.0), _mm256_hadd_ps(c.0, d.0));
            let halves = _mm256_hadd_ps(pairs.0, pairs.1);
            let mut sums = [0.0; 4];
            let total = _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps::<1>(halves));
            _mm_storeu_ps(sums.as_mut_ptr(), total);
            sums
        }
    }
    #[inline(always)]
    unsafe fn transpose(block: &mut [Self; MAX_LANES]) {
        unsafe {
            let mut pairs = [block[0].0; 8];
            for i in 0..4 {
                let (a, b) = (block[2 * i].0, block[2 * i + 1].0);
                pairs[2 * i] = _mm256_unpacklo_ps(a, b);
                pairs[2 * i + 1] = _mm256_unpackhi_ps(a, b);
            }
            // Columns 0..4 and 4..8 of four rows each, in the two halves of a register.
            let mut fours = [block[0].0; 8];
            for i in 0..2 {
                let (a, b) = (pairs[4 * i], pairs[4 * i + 2]);
                let (c, d) = (pairs[4 * i + 1], pairs[4 * i + 3]);
                fours[4 * i] = _mm256_shuffle_ps::<0x44>(a, b);
                fours[4 * i + 1] = _mm256_shuffle_ps::<0xee>(a, b);
                fours[4 * i + 2] = _mm256_shuffle_ps::<0x44>(c, d);
                fours[4 * i + 3] = _mm256_shuffle_ps::<0xee>(c, d);
            }
            for i in 0..4 {
                block[i] = Self(_mm256_permute2f128_ps::<0x20>(fours[i], fours[i + 4]));
                block[i + 4] = Self(_mm256_permute2f128_ps::<0x31>(fours[i], fours[i + 4]));
            }
        }
    }
}

// SAFETY (all): as above.
impl HalfPrecision for F32x8 {
    type Halves = __m128i;

    #[inline(always)]
    unsafe fn load_halves(from: *const u16) -> __m128i {
        unsafe { _mm_loadu_si128(from.cast()) }
    }
    #[inline(always)]
    unsafe fn store_halves(halves: __m128i, to: *mut u16) {
        unsafe { _mm_storeu_si128(to.cast(), halves) }
    }
    #[inline(always)]
    unsafe fn from_f16(halves: __m128i) -> Self {
        Self(unsafe { _mm256_cvtph_ps(halves) })
    }
    #[inline(always)]
    unsafe fn from_bf16(halves: __m128i) -> Self {
        Self(unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(halves))) })
    }
    #[inline(always)]
    unsafe fn to_f16(self) -> __m128i {
        unsafe { _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(self.0) }
    }
    #[inline(always)]
    unsafe fn to_bf16(self) -> __m128i {
        unsafe {
            let bits = _mm256_castps_si256(self.0);
            let last = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
            let rounded = _mm256_add_epi32(bits, _mm256_add_epi32(last, _mm256_set1_epi32(0x7fff)));
            let halves = _mm256_srli_epi32::<16>(rounded);
            _mm_packus_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256::<1>(halves))
        }
    }
}
