//! Scalar kernels: the reference that the vector kernels are compared with, and the fallback for every processor.

mod gradients;
mod kernels;

use super::kernels::Kernels;
use crate::context::Isa;

/// Positions and output channels of the scalar micro-kernel: enough independent sums to keep a processor busy.
const ROWS: usize = 4;
const COLUMNS: usize = 4;

pub static F32: Kernels<f32> = row(c"f32_scalar_4x4");
pub static F64: Kernels<f64> = row(c"f64_scalar_4x4");

const fn row<T: super::element::Compute>(name: &'static std::ffi::CStr) -> Kernels<T> {
    Kernels {
        name,
        isa: Isa::Scalar,
        rows: ROWS,
        columns: COLUMNS,
        coordinates: kernels::coordinates,
        sample: kernels::sample,
        multiply: kernels::multiply::<T, false>,
        multiply_transposed: kernels::multiply::<T, true>,
        store_planes: kernels::store_planes,
        planes_to_pixels: kernels::planes_to_pixels,
        corner_gradients: gradients::corner_gradients,
        offset_gradients: gradients::offset_gradients,
        depthwise: kernels::depthwise,
        scale: kernels::scale,
        column_dots: gradients::column_dots,
    }
}
