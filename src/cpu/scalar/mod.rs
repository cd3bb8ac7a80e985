//! Scalar kernels: the reference that the vector kernels are compared with, and the fallback for every processor.

mod gradients;
mod kernels;

use super::element::Element;
use super::kernels::Kernels;
use crate::context::Isa;
use half::{bf16, f16};
use std::ffi::CStr;

/// Positions and output channels of the scalar micro-kernel: enough independent sums to keep a processor busy.
const ROWS: usize = 4;
const COLUMNS: usize = 4;

pub static F32: Kernels<f32> = row(c"f32_scalar_4x4");
pub static F64: Kernels<f64> = row(c"f64_scalar_4x4");
pub static F16: Kernels<f16> = row(c"f16_scalar_4x4");
pub static BF16: Kernels<bf16> = row(c"bf16_scalar_4x4");

const fn row<T: Element>(name: &'static CStr) -> Kernels<T> {
    Kernels {
        name,
        isa: Isa::Scalar,
        rows: ROWS,
        columns: COLUMNS,
        coordinates: kernels::coordinates,
        sample: kernels::sample,
        multiply: kernels::multiply::<T::Compute, false>,
        multiply_transposed: kernels::multiply::<T::Compute, true>,
        store_planes: kernels::store::<T, false>,
        store_pixels: kernels::store::<T, true>,
        widen: kernels::widen::<T, false>,
        narrow: kernels::narrow::<T, false>,
        planes_to_pixels: kernels::widen::<T, true>,
        pixels_to_planes: kernels::narrow::<T, true>,
        corner_gradients: gradients::corner_gradients,
        offset_gradients: gradients::offset_gradients,
        depthwise: kernels::depthwise,
        depthwise_gradients: gradients::depthwise_gradients,
    }
}
