//! Sixteen f32 in a zmm register.

use super::f64x8::F64x8;
use crate::cpu::avx2::F32x8;
use crate::cpu::simd::{HalfPrecision, MAX_LANES, PixelAddresses, Simd, intrinsics};
use std::arch::x86_64::*;

#[derive(Clone, Copy)]
pub struct F32x16(__m512);

/// The first n lanes.
#[inline(always)]
fn first(n: usize) -> __mmask16 {
    ((1u32 << n) - 1) as __mmask16
}

// SAFETY (all): the trait's promise is the intrinsics' requirement.
impl Simd for F32x16 {
    type Scalar = f32;
    type Mask = __mmask16;
    type Half = F32x8;
    const LANES: usize = 16;

    intrinsics! {
        splat: _mm512_set1_ps, load: _mm512_loadu_ps, store: _mm512_storeu_ps,
        add: _mm512_add_ps, sub: _mm512_sub_ps, mul: _mm512_mul_ps, max: _mm512_max_ps,
    }
    #[inline(always)]
    unsafe fn load_first(from: *const f32, n: usize) -> Self {
        Self(unsafe { _mm512_maskz_loadu_ps(first(n), from) })
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, n: usize) {
        unsafe { _mm512_mask_storeu_ps(to, first(n), self.0) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, addend.0) })
    }
    #[inline(always)]
    unsafe fn floor(self) -> Self {
        Self(unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(self.0) })
    }
    #[inline(always)]
    unsafe fn less(self, other: Self) -> __mmask16 {
        unsafe { _mm512_cmp_ps_mask::<_CMP_LT_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    unsafe fn both(a: __mmask16, b: __mmask16) -> __mmask16 {
        a & b
    }
    #[inline(always)]
    unsafe fn or_zero(self, mask: __mmask16) -> Self {
        Self(unsafe { _mm512_maskz_mov_ps(mask, self.0) })
    }
    #[inline(always)]
    unsafe fn canonical(self) -> Self {
        unsafe {
            let number = _mm512_cmp_ps_mask::<_CMP_ORD_Q>(self.0, self.0);
            Self(_mm512_mask_mov_ps(_mm512_set1_ps(f32::NAN), number, self.0))
        }
    }
    #[inline(always)]
    unsafe fn store_pixel_index(y: Self, x: Self, width: i32, mask: __mmask16, to: *mut i32) {
        unsafe {
            let row = _mm512_mullo_epi32(_mm512_cvttps_epi32(y.0), _mm512_set1_epi32(width));
            let pixel = _mm512_mask_add_epi32(_mm512_set1_epi32(-1), mask, row, _mm512_cvttps_epi32(x.0));
            _mm512_storeu_si512(to.cast(), pixel);
        }
    }
    #[inline(always)]
    unsafe fn inside(index: *const i32) -> __mmask16 {
        unsafe { _mm512_cmpge_epi32_mask(_mm512_loadu_si512(index.cast()), _mm512_setzero_si512()) }
    }
    #[inline(always)]
    unsafe fn store_addresses(index: *const i32, pixels: &PixelAddresses, to: *mut usize) {
        unsafe {
            F64x8::store_addresses(index, pixels, to);
            F64x8::store_addresses(index.add(8), pixels, to.add(8));
        }
    }
    #[inline(always)]
    unsafe fn load_fours(from: *const f32) -> [Self; 4] {
        unsafe {
            let (a, b) = (_mm512_loadu_ps(from), _mm512_loadu_ps(from.add(16)));
            let rows = [a, b, _mm512_loadu_ps(from.add(32)), _mm512_loadu_ps(from.add(48))];
            // Eight groups: first and second members, third and fourth ones.
            let first = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
            let third = _mm512_add_epi32(first, _mm512_set1_epi32(2));
            let pick = |i: usize, which| _mm512_permutex2var_ps(rows[i], which, rows[i + 1]);
            let (a, b) = ((pick(0, first), pick(2, first)), (pick(0, third), pick(2, third)));
            [
                Self(_mm512_shuffle_f32x4::<0x44>(a.0, a.1)),
                Self(_mm512_shuffle_f32x4::<0xee>(a.0, a.1)),
                Self(_mm512_shuffle_f32x4::<0x44>(b.0, b.1)),
                Self(_mm512_shuffle_f32x4::<0xee>(b.0, b.1)),
            ]
        }
    }
    #[inline(always)]
    unsafe fn sums(vectors: [Self; 4]) -> [f32; 4] {
        unsafe {
            let [a, b, c, d] = vectors;
            // Lanes in turns: of two vectors, then of all four.
            let ab = _mm512_add_ps(_mm512_unpacklo_ps(a.0, b.0), _mm512_unpackhi_ps(a.0, b.0));
            let cd = _mm512_add_ps(_mm512_unpacklo_ps(c.0, d.0), _mm512_unpackhi_ps(c.0, d.0));
            let (ab, cd) = (_mm512_castps_pd(ab), _mm512_castps_pd(cd));
            let (low, high) = (_mm512_unpacklo_pd(ab, cd), _mm512_unpackhi_pd(ab, cd));
            let fours = _mm512_add_ps(_mm512_castpd_ps(low), _mm512_castpd_ps(high));
            let fours = _mm256_add_ps(_mm512_castps512_ps256(fours), _mm512_extractf32x8_ps::<1>(fours));
            let mut sums = [0.0; 4];
            let total = _mm_add_ps(_mm256_castps256_ps128(fours), _mm256_extractf128_ps::<1>(fours));
            _mm_storeu_ps(sums.as_mut_ptr(), total);
            sums
        }
    }
    #[inline(always)]
    unsafe fn transpose(block: &mut [Self; MAX_LANES]) {
        unsafe {
            let mut pairs = [block[0].0; 16];
            for i in 0..8 {
                let (a, b) = (block[2 * i].0, block[2 * i + 1].0);
                pairs[2 * i] = _mm512_unpacklo_ps(a, b);
                pairs[2 * i + 1] = _mm512_unpackhi_ps(a, b);
            }
            // fours[4 * i + j]: rows 4i..4i+4 of columns j, j + 4, j + 8, j + 12, one in each quarter.
            let mut fours = [block[0].0; 16];
            for i in 0..4 {
                let (a, b) = (pairs[4 * i], pairs[4 * i + 2]);
                let (c, d) = (pairs[4 * i + 1], pairs[4 * i + 3]);
                fours[4 * i] = _mm512_shuffle_ps::<0x44>(a, b);
                fours[4 * i + 1] = _mm512_shuffle_ps::<0xee>(a, b);
                fours[4 * i + 2] = _mm512_shuffle_ps::<0x44>(c, d);
                fours[4 * i + 3] = _mm512_shuffle_ps::<0xee>(c, d);
            }
            for j in 0..4 {
                let (a, b, c, d) = (fours[j], fours[j + 4], fours[j + 8], fours[j + 12]);
                let (ab02, ab13) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
                let (cd02, cd13) = (_mm512_shuffle_f32x4::<0x88>(c, d), _mm512_shuffle_f32x4::<0xdd>(c, d));
                block[j] = Self(_mm512_shuffle_f32x4::<0x88>(ab02, cd02));
                block[j + 4] = Self(_mm512_shuffle_f32x4::<0x88>(ab13, cd13));
                block[j + 8] = Self(_mm512_shuffle_f32x4::<0xdd>(ab02, cd02));
                block[j + 12] = Self(_mm512_shuffle_f32x4::<0xdd>(ab13, cd13));
            }
        }
    }
}

// SAFETY (all): as above.
impl HalfPrecision for F32x16 {
    type Halves = __m256i;

    #[inline(always)]
    unsafe fn load_halves(from: *const u16) -> __m256i {
        unsafe { _mm256_loadu_si256(from.cast()) }
    }
    #[inline(always)]
    unsafe fn store_halves(halves: __m256i, to: *mut u16) {
        unsafe { _mm256_storeu_si256(to.cast(), halves) }
    }
    #[inline(always)]
    unsafe fn load_first_halves(from: *const u16, n: usize) -> __m256i {
        unsafe { _mm256_maskz_loadu_epi16(first(n), from.cast()) }
    }
    #[inline(always)]
    unsafe fn store_first_halves(halves: __m256i, to: *mut u16, n: usize) {
        unsafe { _mm256_mask_storeu_epi16(to.cast(), first(n), halves) }
    }
    #[inline(always)]
    unsafe fn from_f16(halves: __m256i) -> Self {
        Self(unsafe { _mm512_cvtph_ps(halves) })
    }
    #[inline(always)]
    unsafe fn from_bf16(halves: __m256i) -> Self {
        Self(unsafe { _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves))) })
    }
    #[inline(always)]
    unsafe fn to_f16(self) -> __m256i {
        unsafe { _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(self.0) }
    }
    #[inline(always)]
    unsafe fn to_bf16(self) -> __m256i {
        unsafe {
            let bits = _mm512_castps_si512(self.0);
            let last = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
            let rounded = _mm512_add_epi32(bits, _mm512_add_epi32(last, _mm512_set1_epi32(0x7fff)));
            _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(rounded))
        }
    }
}
