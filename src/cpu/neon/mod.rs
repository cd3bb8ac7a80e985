//! NEON, which every aarch64 processor has.

mod f32x4;
mod f64x2;

use super::kernels::kernels;
use crate::context::Isa;
use f32x4::F32x4;
use f64x2::F64x2;
use half::{bf16, f16};

kernels!(F32: f32, Isa::Neon, "neon", F32x4, c"f32_neon_8x12", 8 x 3);
kernels!(F16: f16 as F32, Isa::Neon, "neon", F32x4, c"f16_neon_8x12", 8 x 3);
kernels!(BF16: bf16 as F32, Isa::Neon, "neon", F32x4, c"bf16_neon_8x12", 8 x 3);
kernels!(F64: f64, Isa::Neon, "neon", F64x2, c"f64_neon_8x6", 8 x 3);
