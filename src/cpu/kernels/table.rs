//! The kernel table: one row for each set of kernels, in order of preference. Dispatch, tests and benches read it.

use super::args::*;
use crate::context::Isa;
use crate::cpu::element::Element;
#[cfg(target_arch = "aarch64")]
use crate::cpu::neon;
use crate::cpu::scalar;
#[cfg(target_arch = "x86_64")]
use crate::cpu::{avx2, avx512};
use half::{bf16, f16};
use std::ffi::CStr;

/// The kernels of one instruction set for one element type. Each is called with memory as its arguments describe it, on
/// a processor that has the instruction set.
pub struct Kernels<T: Element> {
    /// Type, instruction set and micro-kernel, for example "f32_avx2_6x16".
    pub name: &'static CStr,
    pub isa: Isa,
    /// Positions that the micro-kernel takes at a time.
    pub rows: usize,
    /// Output channels of a panel of packed weights.
    pub columns: usize,
    pub coordinates: unsafe fn(&CoordinatesArgs<T>) -> Reach<T::Compute>,
    pub sample: unsafe fn(&SampleArgs<T::Compute>),
    pub multiply: unsafe fn(&MultiplyArgs<T::Compute>),
    /// As `multiply`, the left operand stored transposed.
    pub multiply_transposed: unsafe fn(&MultiplyArgs<T::Compute>),
    pub store_planes: unsafe fn(&StoreArgs<T>),
    pub store_pixels: unsafe fn(&StoreArgs<T>),
    /// Copies a matrix to what is computed in.
    pub widen: unsafe fn(&CopyArgs<T, T::Compute>),
    /// Copies a matrix to a tensor: rounded, every NaN made the same one.
    pub narrow: unsafe fn(&CopyArgs<T::Compute, T>),
    /// Transposes on the way to what is computed in.
    pub planes_to_pixels: unsafe fn(&CopyArgs<T, T::Compute>),
    /// Transposes on the way to a tensor, as `narrow` copies.
    pub pixels_to_planes: unsafe fn(&CopyArgs<T::Compute, T>),
    pub corner_gradients: unsafe fn(&CornerGradientsArgs<T::Compute>),
    pub offset_gradients: unsafe fn(&OffsetGradientsArgs<T>),
    pub depthwise: unsafe fn(&DepthwiseArgs<T::Compute>),
    pub depthwise_gradients: unsafe fn(&DepthwiseGradientsArgs<T::Compute>),
}

/// An element type that has rows in the table.
pub trait HasKernels: Element {
    const TABLE: &'static [&'static Kernels<Self>];
}

macro_rules! table {
    ($element:ty: $row:ident) => {
        impl HasKernels for $element {
            const TABLE: &'static [&'static Kernels<Self>] = &[
                #[cfg(target_arch = "x86_64")]
                &avx512::$row,
                #[cfg(target_arch = "x86_64")]
                &avx2::$row,
                #[cfg(target_arch = "aarch64")]
                &neon::$row,
                &scalar::$row,
            ];
        }
    };
}

table!(f32: F32);
table!(f64: F64);
table!(f16: F16);
table!(bf16: BF16);
