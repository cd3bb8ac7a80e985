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
pub struct Kernels<T> {
    /// Type, instruction set and micro-kernel, for example "f32_avx2_6x16".
    pub name: &'static CStr,
    pub isa: Isa,
    /// Positions that the micro-kernel takes at a time.
    pub rows: usize,
    /// Output channels of a panel of packed weights.
    pub columns: usize,
    pub coordinates: unsafe fn(&CoordinatesArgs<T>) -> Reach<T>,
    pub sample: unsafe fn(&SampleArgs<T>),
    pub multiply: unsafe fn(&MultiplyArgs<T>),
    /// As `multiply`, the left operand stored transposed.
    pub multiply_transposed: unsafe fn(&MultiplyArgs<T>),
    pub store_planes: unsafe fn(&StorePlanesArgs<T>),
    pub planes_to_pixels: unsafe fn(&TransposeArgs<T>),
    pub corner_gradients: unsafe fn(&CornerGradientsArgs<T>),
    pub offset_gradients: unsafe fn(&OffsetGradientsArgs<T>),
    pub depthwise: unsafe fn(&DepthwiseArgs<T>),
    pub scale: unsafe fn(&ScaleArgs<T>),
    pub column_dots: unsafe fn(&ColumnDotsArgs<T>),
}

/// An element type that has rows in the table.
pub trait HasKernels: Element {
    const TABLE: &'static [&'static Kernels<Self::Compute>];
}

impl HasKernels for f32 {
    const TABLE: &'static [&'static Kernels<f32>] = &[
        #[cfg(target_arch = "x86_64")]
        &avx512::F32,
        #[cfg(target_arch = "x86_64")]
        &avx2::F32,
        #[cfg(target_arch = "aarch64")]
        &neon::F32,
        &scalar::F32,
    ];
}

impl HasKernels for f64 {
    const TABLE: &'static [&'static Kernels<f64>] = &[
        #[cfg(target_arch = "x86_64")]
        &avx512::F64,
        #[cfg(target_arch = "x86_64")]
        &avx2::F64,
        #[cfg(target_arch = "aarch64")]
        &neon::F64,
        &scalar::F64,
    ];
}

/// Stored in half precision, computed in f32.
impl HasKernels for f16 {
    const TABLE: &'static [&'static Kernels<f32>] = f32::TABLE;
}

/// Stored in half precision, computed in f32.
impl HasKernels for bf16 {
    const TABLE: &'static [&'static Kernels<f32>] = f32::TABLE;
}
