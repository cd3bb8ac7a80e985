//! Eight f64 in a zmm register.

use crate::cpu::avx2::F64x4;
use crate::cpu::simd::{MAX_LANES, PixelAddresses, Simd, intrinsics};
use std::arch::x86_64::*;

#[derive(Clone, Copy)]
pub struct F64x8(__m512d);

/// The first n lanes.
#[inline(always)]
fn first(n: usize) -> __mmask8 {
    ((1u32 << n) - 1) as __mmask8
}

// SAFETY (all): the trait's promise is the intrinsics' requirement.
impl Simd for F64x8 {
    type Scalar = f64;
    type Mask = __mmask8;
    type Half = F64x4;
    const LANES: usize = 8;

    intrinsics! {
        splat: _mm512_set1_pd, load: _mm512_loadu_pd, store: _mm512_storeu_pd,
        add: _mm512_add_pd, sub: _mm512_sub_pd, mul: _mm512_mul_pd, max: _mm512_max_pd,
    }
    #[inline(always)]
    unsafe fn load_first(from: *const f64, n: usize) -> Self {
        Self(unsafe { _mm512_maskz_loadu_pd(first(n), from) })
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f64, n: usize) {
        unsafe { _mm512_mask_storeu_pd(to, first(n), self.0) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        Self(unsafe { _mm512_fmadd_pd(self.0, factor.0, addend.0) })
    }
    #[inline(always)]
    unsafe fn floor(self) -> Self {
        Self(unsafe { _mm512_roundscale_pd::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(self.0) })
    }
    #[inline(always)]
    unsafe fn less(self, other: Self) -> __mmask8 {
        unsafe { _mm512_cmp_pd_mask::<_CMP_LT_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    unsafe fn both(a: __mmask8, b: __mmask8) -> __mmask8 {
        a & b
    }
    #[inline(always)]
    unsafe fn or_zero(self, mask: __mmask8) -> Self {
        Self(unsafe { _mm512_maskz_mov_pd(mask, self.0) })
    }
    #[inline(always)]
    unsafe fn canonical(self) -> Self {
        unsafe {
            let number = _mm512_cmp_pd_mask::<_CMP_ORD_Q>(self.0, self.0);
            Self(_mm512_mask_mov_pd(_mm512_set1_pd(f64::NAN), number, self.0))
        }
    }
    #[inline(always)]
    unsafe fn store_pixel_index(y: Self, x: Self, width: i32, mask: __mmask8, to: *mut i32) {
        unsafe {
            let row = _mm256_mullo_epi32(_mm512_cvttpd_epi32(y.0), _mm256_set1_epi32(width));
            let pixel = _mm256_mask_add_epi32(_mm256_set1_epi32(-1), mask, row, _mm512_cvttpd_epi32(x.0));
            _mm256_storeu_si256(to.cast(), pixel);
        }
    }
    #[inline(always)]
    unsafe fn inside(index: *const i32) -> __mmask8 {
        unsafe { _mm256_cmpge_epi32_mask(_mm256_loadu_si256(index.cast()), _mm256_setzero_si256()) }
    }
    #[inline(always)]
    unsafe fn store_addresses(index: *const i32, pixels: &PixelAddresses, to: *mut usize) {
        unsafe {
            let index = _mm512_cvtepi32_epi64(_mm256_loadu_si256(index.cast()));
            let distance = _mm512_mullo_epi64(index, _mm512_set1_epi64(pixels.stride as i64));
            let address = _mm512_add_epi64(distance, _mm512_set1_epi64(pixels.first as i64));
            let outside = _mm512_set1_epi64(pixels.outside as i64);
            _mm512_storeu_si512(to.cast(), _mm512_mask_mov_epi64(address, _mm512_movepi64_mask(index), outside));
        }
    }
    #[inline(always)]
    unsafe fn load_fours(from: *const f64) -> [Self; 4] {
        unsafe {
            let (a, b) = (_mm512_loadu_pd(from), _mm512_loadu_pd(from.add(8)));
            let rows = [a, b, _mm512_loadu_pd(from.add(16)), _mm512_loadu_pd(from.add(24))];
            // Four groups: first and second members, third and fourth ones.
            let first = _mm512_setr_epi64(0, 4, 8, 12, 1, 5, 9, 13);
            let third = _mm512_add_epi64(first, _mm512_set1_epi64(2));
            let pick = |i: usize, which| _mm512_permutex2var_pd(rows[i], which, rows[i + 1]);
            let (a, b) = ((pick(0, first), pick(2, first)), (pick(0, third), pick(2, third)));
            [
                Self(_mm512_shuffle_f64x2::<0x44>(a.0, a.1)),
                Self(_mm512_shuffle_f64x2::<0xee>(a.0, a.1)),
                Self(_mm512_shuffle_f64x2::<0x44>(b.0, b.1)),
                Self(_mm512_shuffle_f64x2::<0xee>(b.0, b.1)),
            ]
        }
    }
    #[inline(always)]
    unsafe fn sums(vectors: [Self; 4]) -> [f64; 4] {
        unsafe {
            let mut halves = [_mm256_setzero_pd(); 4];
            for (half, v) in halves.iter_mut().zip(vectors) {
                *half = _mm256_add_pd(_mm512_castpd512_pd256(v.0), _mm512_extractf64x4_pd::<1>(v.0));
            }
            let mut sums = [0.0; 4];
            for i in 0..2 {
                let pairs = _mm256_hadd_pd(halves[2 * i], halves[2 * i + 1]);
                let total = _mm_add_pd(_mm256_castpd256_pd128(pairs), _mm256_extractf128_pd::<1>(pairs));
                _mm_storeu_pd(sums.as_mut_ptr().add(2 * i), total);
            }
            sums
        }
    }
    #[inline(always)]
    unsafe fn transpose(block: &mut [Self; MAX_LANES]) {
        unsafe {
            // pairs[2 * i + j]: rows 2i, 2i + 1 of columns j, j + 2, j + 4, j + 6, one in each quarter.
            let mut pairs = [block[0].0; 8];
            for i in 0..4 {
                let (a, b) = (block[2 * i].0, block[2 * i + 1].0);
                pairs[2 * i] = _mm512_unpacklo_pd(a, b);
                pairs[2 * i + 1] = _mm512_unpackhi_pd(a, b);
            }
            for j in 0..2 {
                let (a, b, c, d) = (pairs[j], pairs[j + 2], pairs[j + 4], pairs[j + 6]);
                let (ab02, ab13) = (_mm512_shuffle_f64x2::<0x88>(a, b), _mm512_shuffle_f64x2::<0xdd>(a, b));
                let (cd02, cd13) = (_mm512_shuffle_f64x2::<0x88>(c, d), _mm512_shuffle_f64x2::<0xdd>(c, d));
                block[j] = Self(_mm512_shuffle_f64x2::<0x88>(ab02, cd02));
                block[j + 2] = Self(_mm512_shuffle_f64x2::<0x88>(ab13, cd13));
                block[j + 4] = Self(_mm512_shuffle_f64x2::<0xdd>(ab02, cd02));
                block[j + 6] = Self(_mm512_shuffle_f64x2::<0xdd>(ab13, cd13));
            }
        }
    }
}
