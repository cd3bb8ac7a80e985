//! AVX-512 (F, BW, DQ, VL).

mod f32x16;
mod f64x8;

use super::kernels::kernels;
use crate::context::Isa;
use f32x16::F32x16;
use f64x8::F64x8;
use half::{bf16, f16};

kernels!(F32: f32, Isa::Avx512, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c", F32x16, c"f32_avx512_12x32", 12 x 2);
kernels!(F16: f16 as F32, Isa::Avx512, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c", F32x16, c"f16_avx512_12x32", 12 x 2);
kernels!(BF16: bf16 as F32, Isa::Avx512, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c", F32x16, c"bf16_avx512_12x32", 12 x 2);
kernels!(F64: f64, Isa::Avx512, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c", F64x8, c"f64_avx512_12x16", 12 x 2);
