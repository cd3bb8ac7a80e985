//! AVX2 with FMA and F16C.

mod f32x8;
mod f64x4;

use super::kernels::kernels;
use crate::context::Isa;
pub(super) use f32x8::F32x8;
pub(super) use f64x4::F64x4;
use half::{bf16, f16};

kernels!(F32: f32, Isa::Avx2, "avx2,fma,f16c", F32x8, c"f32_avx2_6x16", 6 x 2);
kernels!(F16: f16 as F32, Isa::Avx2, "avx2,fma,f16c", F32x8, c"f16_avx2_6x16", 6 x 2);
kernels!(BF16: bf16 as F32, Isa::Avx2, "avx2,fma,f16c", F32x8, c"bf16_avx2_6x16", 6 x 2);
kernels!(F64: f64, Isa::Avx2, "avx2,fma,f16c", F64x4, c"f64_avx2_6x8", 6 x 2);
