//! Two f64 in a q register.

use crate::cpu::simd::{MAX_LANES, PixelAddresses, Simd, intrinsics};
use std::arch::aarch64::*;

#[derive(Clone, Copy)]
pub struct F64x2(float64x2_t);

// SAFETY (all): the trait's promise is the intrinsics' requirement.
impl Simd for F64x2 {
    type Scalar = f64;
    type Mask = uint64x2_t;
    type Half = Self;
    const LANES: usize = 2;

    intrinsics! {
        splat: vdupq_n_f64, load: vld1q_f64, store: vst1q_f64,
        add: vaddq_f64, sub: vsubq_f64, mul: vmulq_f64, max: vmaxq_f64,
    }
    #[inline(always)]
    unsafe fn load_first(from: *const f64, n: usize) -> Self {
        unsafe {
            let zero = vdupq_n_f64(0.0);
            Self(if n == 0 { zero } else { vld1q_lane_f64::<0>(from, zero) })
        }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f64, n: usize) {
        if n != 0 {
            unsafe { vst1q_lane_f64::<0>(to, self.0) }
        }
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        Self(unsafe { vfmaq_f64(addend.0, self.0, factor.0) })
    }
    #[inline(always)]
    unsafe fn floor(self) -> Self {
        Self(unsafe { vrndmq_f64(self.0) })
    }
    #[inline(always)]
    unsafe fn less(self, other: Self) -> uint64x2_t {
        unsafe { vcltq_f64(self.0, other.0) }
    }
    #[inline(always)]
    unsafe fn both(a: uint64x2_t, b: uint64x2_t) -> uint64x2_t {
        unsafe { vandq_u64(a, b) }
    }
    #[inline(always)]
    unsafe fn or_zero(self, mask: uint64x2_t) -> Self {
        Self(unsafe { vreinterpretq_f64_u64(vandq_u64(vreinterpretq_u64_f64(self.0), mask)) })
    }
    #[inline(always)]
    unsafe fn canonical(self) -> Self {
        Self(unsafe { vbslq_f64(vceqq_f64(self.0, self.0), self.0, vdupq_n_f64(f64::NAN)) })
    }
    #[inline(always)]
    unsafe fn store_pixel_index(y: Self, x: Self, width: i32, mask: uint64x2_t, to: *mut i32) {
        unsafe {
            // Lanes that are not set may not fit an i32; narrowing cuts them, and they are overwritten by -1.
            let (y, x) = (vmovn_s64(vcvtq_s64_f64(y.0)), vmovn_s64(vcvtq_s64_f64(x.0)));
            let pixel = vmla_n_s32(x, y, width);
            vst1_s32(to, vorn_s32(pixel, vreinterpret_s32_u32(vmovn_u64(mask))));
        }
    }
    #[inline(always)]
    unsafe fn inside(index: *const i32) -> uint64x2_t {
        unsafe { vcgezq_s64(vmovl_s32(vld1_s32(index))) }
    }
    #[inline(always)]
    unsafe fn store_addresses(index: *const i32, pixels: &PixelAddresses, to: *mut usize) {
        unsafe {
            let index = vld1_s32(index);
            let times = |factor: usize| vmull_u32(vreinterpret_u32_s32(index), vdup_n_u32(factor as u32));
            // There is no product of 64 bits.
            let distance = vaddq_u64(times(pixels.stride), vshlq_n_u64::<32>(times(pixels.stride >> 32)));
            let address = vaddq_u64(distance, vdupq_n_u64(pixels.first as u64));
            let outside = vcltzq_s64(vmovl_s32(index));
            vst1q_u64(to.cast(), vbslq_u64(outside, vdupq_n_u64(pixels.outside as u64), address));
        }
    }
    #[inline(always)]
    unsafe fn load_fours(from: *const f64) -> [Self; 4] {
        unsafe {
            let float64x2x4_t(a, b, c, d) = vld4q_f64(from);
            [Self(a), Self(b), Self(c), Self(d)]
        }
    }
    #[inline(always)]
    unsafe fn sums([a, b, c, d]: [Self; 4]) -> [f64; 4] {
        unsafe {
            let mut sums = [0.0; 4];
            vst1q_f64(sums.as_mut_ptr(), vpaddq_f64(a.0, b.0));
            vst1q_f64(sums.as_mut_ptr().add(2), vpaddq_f64(c.0, d.0));
            sums
        }
    }
    #[inline(always)]
    unsafe fn transpose(block: &mut [Self; MAX_LANES]) {
        unsafe {
            let (a, b) = (block[0].0, block[1].0);
            block[0] = Self(vtrn1q_f64(a, b));
            block[1] = Self(vtrn2q_f64(a, b));
        }
    }
}
