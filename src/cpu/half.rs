//! Runs of half-precision numbers to and from f32, eight and more at a time where the processor can. Every way gives the
//! same bits, so which one is taken shows in the time alone.

use crate::context::Isa;
use ::half::{bf16, f16};

/// # Safety
///
/// `n` elements are readable at `from` and writable at `to`, which do not overlap.
pub unsafe fn widen_f16(isa: Isa, from: *const f16, to: *mut f32, n: usize) {
    #[cfg(not(target_arch = "x86_64"))]
    let _ = isa;
    // SAFETY: the caller's promise; a plan has only what the processor has.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if isa >= Isa::Avx2 && is_x86_feature_detected!("f16c") {
            return x86::widen_f16(from, to, n);
        }
        (0..n).for_each(|i| *to.add(i) = (*from.add(i)).to_f32());
    }
}

/// Rounds to nearest even.
///
/// # Safety
///
/// As [`widen_f16`].
pub unsafe fn narrow_f16(isa: Isa, from: *const f32, to: *mut f16, n: usize) {
    #[cfg(not(target_arch = "x86_64"))]
    let _ = isa;
    // SAFETY: the caller's promise; a plan has only what the processor has.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if isa >= Isa::Avx2 && is_x86_feature_detected!("f16c") {
            return x86::narrow_f16(from, to, n);
        }
        (0..n).for_each(|i| *to.add(i) = f16::from_f32(*from.add(i)));
    }
}

/// # Safety
///
/// As [`widen_f16`].
pub unsafe fn widen_bf16(isa: Isa, from: *const bf16, to: *mut f32, n: usize) {
    #[cfg(not(target_arch = "x86_64"))]
    let _ = isa;
    // SAFETY: the caller's promise; a plan has only what the processor has.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if isa >= Isa::Avx2 {
            return x86::widen_bf16(from, to, n);
        }
        widen_bf16_loop(from, to, n);
    }
}

/// Rounds to nearest even.
///
/// # Safety
///
/// As [`widen_f16`].
pub unsafe fn narrow_bf16(isa: Isa, from: *const f32, to: *mut bf16, n: usize) {
    #[cfg(not(target_arch = "x86_64"))]
    let _ = isa;
    // SAFETY: the caller's promise; a plan has only what the processor has.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if isa >= Isa::Avx2 {
            return x86::narrow_bf16(from, to, n);
        }
        narrow_bf16_loop(from, to, n);
    }
}

/// A loop that the compiler turns into vector instructions of the function it is part of.
#[inline(always)]
unsafe fn widen_bf16_loop(from: *const bf16, to: *mut f32, n: usize) {
    for i in 0..n {
        // SAFETY: the caller's promise.
        unsafe { *to.add(i) = f32::from_bits(u32::from((*from.add(i)).to_bits()) << 16) };
    }
}

/// As [`widen_bf16_loop`].
#[inline(always)]
unsafe fn narrow_bf16_loop(from: *const f32, to: *mut bf16, n: usize) {
    for i in 0..n {
        // SAFETY: the caller's promise.
        unsafe {
            let value = *from.add(i);
            let bits = value.to_bits();
            let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
            let quiet_nan = bits >> 16 | 0x40;
            *to.add(i) = bf16::from_bits(if value.is_nan() { quiet_nan } else { rounded } as u16);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{bf16, f16, narrow_bf16_loop, widen_bf16_loop};
    use std::arch::x86_64::*;

    #[target_feature(enable = "avx2,f16c")]
    pub unsafe fn widen_f16(from: *const f16, to: *mut f32, n: usize) {
        // SAFETY: this function's caller has promised the same.
        unsafe {
            let whole = n / 8 * 8;
            for i in (0..whole).step_by(8) {
                _mm256_storeu_ps(to.add(i), _mm256_cvtph_ps(_mm_loadu_si128(from.add(i).cast())));
            }
            (whole..n).for_each(|i| *to.add(i) = (*from.add(i)).to_f32());
        }
    }

    #[target_feature(enable = "avx2,f16c")]
    pub unsafe fn narrow_f16(from: *const f32, to: *mut f16, n: usize) {
        // SAFETY: this function's caller has promised the same.
        unsafe {
            let whole = n / 8 * 8;
            for i in (0..whole).step_by(8) {
                let halves = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm256_loadu_ps(from.add(i)));
                _mm_storeu_si128(to.add(i).cast(), halves);
            }
            (whole..n).for_each(|i| *to.add(i) = f16::from_f32(*from.add(i)));
        }
    }

    #[target_feature(enable = "avx2")]
    pub unsafe fn widen_bf16(from: *const bf16, to: *mut f32, n: usize) {
        // SAFETY: this function's caller has promised the same.
        unsafe { widen_bf16_loop(from, to, n) }
    }

    #[target_feature(enable = "avx2")]
    pub unsafe fn narrow_bf16(from: *const f32, to: *mut bf16, n: usize) {
        // SAFETY: this function's caller has promised the same.
        unsafe { narrow_bf16_loop(from, to, n) }
    }
}
