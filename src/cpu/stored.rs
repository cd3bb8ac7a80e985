//! How vectors read and write what is stored: as it is, or widened from half precision and rounded to it.

use super::element::Element;
use super::simd::{HalfPrecision, Simd};
use half::{bf16, f16};

/// An element type as vectors of V read and write it. Every method is unsafe as those of [`Simd`] are.
pub trait Stored<V: Simd<Scalar = Self::Compute>>: Element {
    /// LANES elements, of any alignment.
    unsafe fn load(from: *const Self) -> V;
    /// The first `n` < LANES elements, 0 in the other lanes; nothing beyond them is read.
    unsafe fn load_first(from: *const Self, n: usize) -> V;
    /// LANES elements, rounded to nearest even. NaN is the canonical one.
    unsafe fn store(value: V, to: *mut Self);
    /// The first `n` < LANES lanes, likewise; nothing beyond them is written.
    unsafe fn store_first(value: V, to: *mut Self, n: usize);
}

macro_rules! as_it_is {
    ($type:ty) => {
        // SAFETY (all): the caller's promise.
        impl<V: Simd<Scalar = $type>> Stored<V> for $type {
            #[inline(always)]
            unsafe fn load(from: *const Self) -> V {
                unsafe { V::load(from) }
            }
            #[inline(always)]
            unsafe fn load_first(from: *const Self, n: usize) -> V {
                unsafe { V::load_first(from, n) }
            }
            #[inline(always)]
            unsafe fn store(value: V, to: *mut Self) {
                unsafe { value.store(to) }
            }
            #[inline(always)]
            unsafe fn store_first(value: V, to: *mut Self, n: usize) {
                unsafe { value.store_first(to, n) }
            }
        }
    };
}

as_it_is!(f32);
as_it_is!(f64);

macro_rules! half_precision {
    ($type:ty, $widen:ident, $round:ident) => {
        // SAFETY (all): the caller's promise; the type is 16 bits.
        impl<V: HalfPrecision> Stored<V> for $type {
            #[inline(always)]
            unsafe fn load(from: *const Self) -> V {
                unsafe { V::$widen(V::load_halves(from.cast())) }
            }
            #[inline(always)]
            unsafe fn load_first(from: *const Self, n: usize) -> V {
                unsafe { V::$widen(V::load_first_halves(from.cast(), n)) }
            }
            #[inline(always)]
            unsafe fn store(value: V, to: *mut Self) {
                unsafe { V::store_halves(value.$round(), to.cast()) }
            }
            #[inline(always)]
            unsafe fn store_first(value: V, to: *mut Self, n: usize) {
                unsafe { V::store_first_halves(value.$round(), to.cast(), n) }
            }
        }
    };
}

half_precision!(f16, from_f16, to_f16);
half_precision!(bf16, from_bf16, to_bf16);
