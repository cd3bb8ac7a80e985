//! AVX2 with FMA.

mod f32x8;
mod f64x4;

use super::kernels::kernels;
use crate::context::Isa;
pub(super) use f32x8::F32x8;
pub(super) use f64x4::F64x4;

kernels!(F32: f32, Isa::Avx2, "avx2,fma", F32x8, c"f32_avx2_6x16", 6 x 2);
kernels!(F64: f64, Isa::Avx2, "avx2,fma", F64x4, c"f64_avx2_6x8", 6 x 2);
