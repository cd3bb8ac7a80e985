//! Element types: what is stored, and the floating-point type it is computed in.

use crate::problem::DType;
use half::{bf16, f16};
use std::fmt::Debug;
use std::ops::{Add, AddAssign, Mul, Neg, Sub};

/// Most channels that one call of a sampling kernel takes, and so the length of the vector of zeros that stands in for
/// corners outside the image.
pub const MAX_SAMPLE_CHANNELS: usize = 256;

#[repr(align(64))]
struct Zeros<T>([T; MAX_SAMPLE_CHANNELS]);

/// A type that sums are computed in: f32 or f64.
pub trait Compute:
    Copy
    + Debug
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    const ZERO: Self;
    const ONE: Self;
    /// What a corner outside the image is read from.
    const ZEROS: *const Self;
    /// Exact for the coordinates a checked problem can have.
    fn from_i64(value: i64) -> Self;
    fn to_i64(self) -> i64;
    fn from_f32(value: f32) -> Self;
    fn floor(self) -> Self;
    /// self, but every NaN the same one, as [`Simd::canonical`](super::simd::Simd::canonical).
    fn canonical(self) -> Self;
}

macro_rules! compute {
    ($type:ty, $zeros:ident) => {
        static $zeros: Zeros<$type> = Zeros([0.0; MAX_SAMPLE_CHANNELS]);

        impl Compute for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const ZEROS: *const Self = &raw const $zeros.0 as *const Self;

            fn from_i64(value: i64) -> Self {
                value as Self
            }

            fn to_i64(self) -> i64 {
                self as i64
            }

            fn from_f32(value: f32) -> Self {
                value.into()
            }

            fn floor(self) -> Self {
                <$type>::floor(self)
            }

            fn canonical(self) -> Self {
                if self.is_nan() { Self::NAN } else { self }
            }
        }
    };
}

compute!(f32, F32_ZEROS);
compute!(f64, F64_ZEROS);

/// A type that tensors are stored in.
pub trait Element: Copy + Send + Sync + 'static {
    type Compute: Compute;
    const DTYPE: DType;
    /// Whether values are stored as they are computed, so that kernels may work on tensors in place.
    const IS_COMPUTE: bool;
    fn to_compute(self) -> Self::Compute;
    /// Rounded to nearest even; overflow goes to infinity.
    fn from_compute(value: Self::Compute) -> Self;
}

macro_rules! same_element {
    ($type:ty, $dtype:expr) => {
        impl Element for $type {
            type Compute = Self;
            const DTYPE: DType = $dtype;
            const IS_COMPUTE: bool = true;

            fn to_compute(self) -> Self {
                self
            }

            fn from_compute(value: Self) -> Self {
                value
            }
        }
    };
}

same_element!(f32, DType::F32);
same_element!(f64, DType::F64);

macro_rules! half_element {
    ($type:ty, $dtype:expr) => {
        impl Element for $type {
            type Compute = f32;
            const DTYPE: DType = $dtype;
            const IS_COMPUTE: bool = false;

            fn to_compute(self) -> f32 {
                self.to_f32()
            }

            fn from_compute(value: f32) -> Self {
                Self::from_f32(value)
            }
        }
    };
}

half_element!(f16, DType::F16);
half_element!(bf16, DType::Bf16);
