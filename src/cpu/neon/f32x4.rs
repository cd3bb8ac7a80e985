//! Four f32 in a q register.

use super::f64x2::F64x2;
use crate::cpu::simd::{HalfPrecision, MAX_LANES, PixelAddresses, Simd, intrinsics};
use std::arch::aarch64::*;
use std::arch::asm;

#[derive(Clone, Copy)]
pub struct F32x4(float32x4_t);

// SAFETY (all): the trait's promise is the intrinsics' requirement.
impl Simd for F32x4 {
    type Scalar = f32;
    type Mask = uint32x4_t;
    type Half = Self;
    const LANES: usize = 4;

    intrinsics! {
        splat: vdupq_n_f32, load: vld1q_f32, store: vst1q_f32,
        add: vaddq_f32, sub: vsubq_f32, mul: vmulq_f32, max: vmaxq_f32,
    }
    /// NEON has no masks: the first two lanes as a half, the odd one by itself.
    #[inline(always)]
    unsafe fn load_first(from: *const f32, n: usize) -> Self {
        unsafe {
            let zero = vdupq_n_f32(0.0);
            Self(match n {
                0 => zero,
                1 => vld1q_lane_f32::<0>(from, zero),
                2 => vcombine_f32(vld1_f32(from), vget_high_f32(zero)),
                _ => vld1q_lane_f32::<2>(from.add(2), vcombine_f32(vld1_f32(from), vget_high_f32(zero))),
            })
        }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, n: usize) {
        unsafe {
            if n >= 2 {
                vst1_f32(to, vget_low_f32(self.0));
            }
            match n {
                1 => vst1q_lane_f32::<0>(to, self.0),
                3 => vst1q_lane_f32::<2>(to.add(2), self.0),
                _ => {}
            }
        }
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        Self(unsafe { vfmaq_f32(addend.0, self.0, factor.0) })
    }
    #[inline(always)]
    unsafe fn floor(self) -> Self {
        Self(unsafe { vrndmq_f32(self.0) })
    }
    #[inline(always)]
    unsafe fn less(self, other: Self) -> uint32x4_t {
        unsafe { vcltq_f32(self.0, other.0) }
    }
    #[inline(always)]
    unsafe fn both(a: uint32x4_t, b: uint32x4_t) -> uint32x4_t {
        unsafe { vandq_u32(a, b) }
    }
    #[inline(always)]
    unsafe fn or_zero(self, mask: uint32x4_t) -> Self {
        Self(unsafe { vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(self.0), mask)) })
    }
    #[inline(always)]
    unsafe fn canonical(self) -> Self {
        Self(unsafe { vbslq_f32(vceqq_f32(self.0, self.0), self.0, vdupq_n_f32(f32::NAN)) })
    }
    #[inline(always)]
    unsafe fn store_pixel_index(y: Self, x: Self, width: i32, mask: uint32x4_t, to: *mut i32) {
        unsafe {
            let pixel = vmlaq_n_s32(vcvtq_s32_f32(x.0), vcvtq_s32_f32(y.0), width);
            vst1q_s32(to, vornq_s32(pixel, vreinterpretq_s32_u32(mask)));
        }
    }
    #[inline(always)]
    unsafe fn inside(index: *const i32) -> uint32x4_t {
        unsafe { vcgezq_s32(vld1q_s32(index)) }
    }
    #[inline(always)]
    unsafe fn store_addresses(index: *const i32, pixels: &PixelAddresses, to: *mut usize) {
        unsafe {
            F64x2::store_addresses(index, pixels, to);
            F64x2::store_addresses(index.add(2), pixels, to.add(2));
        }
    }
    #[inline(always)]
    unsafe fn load_fours(from: *const f32) -> [Self; 4] {
        unsafe {
            let float32x4x4_t(a, b, c, d) = vld4q_f32(from);
            [Self(a), Self(b), Self(c), Self(d)]
        }
    }
    #[inline(always)]
    unsafe fn sums([a, b, c, d]: [Self; 4]) -> [f32; 4] {
        unsafe {
            let mut sums = [0.0; 4];
            vst1q_f32(sums.as_mut_ptr(), vpaddq_f32(vpaddq_f32(a.0, b.0), vpaddq_f32(c.0, d.0)));
            sums
        }
    }
    #[inline(always)]
    unsafe fn transpose(block: &mut [Self; MAX_LANES]) {
        unsafe {
            let [a, b, c, d] = [block[0].0, block[1].0, block[2].0, block[3].0];
            // Two rows of columns 0 and 2 (even), 1 and 3 (odd), as pairs that move together.
            let even = |a, b| vreinterpretq_f64_f32(vtrn1q_f32(a, b));
            let odd = |a, b| vreinterpretq_f64_f32(vtrn2q_f32(a, b));
            block[0] = Self(vreinterpretq_f32_f64(vtrn1q_f64(even(a, b), even(c, d))));
            block[1] = Self(vreinterpretq_f32_f64(vtrn1q_f64(odd(a, b), odd(c, d))));
            block[2] = Self(vreinterpretq_f32_f64(vtrn2q_f64(even(a, b), even(c, d))));
            block[3] = Self(vreinterpretq_f32_f64(vtrn2q_f64(odd(a, b), odd(c, d))));
        }
    }
}

// SAFETY (all): as above.
impl HalfPrecision for F32x4 {
    type Halves = uint16x4_t;

    #[inline(always)]
    unsafe fn load_halves(from: *const u16) -> uint16x4_t {
        unsafe { vld1_u16(from) }
    }
    #[inline(always)]
    unsafe fn store_halves(halves: uint16x4_t, to: *mut u16) {
        unsafe { vst1_u16(to, halves) }
    }
    /// The intrinsics of this conversion and the next need the type f16, which stable Rust has not.
    #[inline(always)]
    unsafe fn from_f16(halves: uint16x4_t) -> Self {
        let wide: float32x4_t;
        unsafe {
            asm!("fcvtl {0:v}.4s, {1:v}.4h", lateout(vreg) wide, in(vreg) halves,
                options(pure, nomem, nostack, preserves_flags));
        }
        Self(wide)
    }
    #[inline(always)]
    unsafe fn from_bf16(halves: uint16x4_t) -> Self {
        Self(unsafe { vreinterpretq_f32_u32(vshll_n_u16::<16>(halves)) })
    }
    #[inline(always)]
    unsafe fn to_f16(self) -> uint16x4_t {
        let halves: uint16x4_t;
        unsafe {
            asm!("fcvtn {0:v}.4h, {1:v}.4s", lateout(vreg) halves, in(vreg) self.0,
                options(pure, nomem, nostack, preserves_flags));
        }
        halves
    }
    #[inline(always)]
    unsafe fn to_bf16(self) -> uint16x4_t {
        unsafe {
            let bits = vreinterpretq_u32_f32(self.0);
            let last = vandq_u32(vshrq_n_u32::<16>(bits), vdupq_n_u32(1));
            vshrn_n_u32::<16>(vaddq_u32(bits, vaddq_u32(last, vdupq_n_u32(0x7fff))))
        }
    }
}
