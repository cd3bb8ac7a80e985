//! The operands of a case, filled with the same random values in every run.

use super::buffer::Buffer;
use super::cases::Case;
use super::kinds::{Dtype, Pass};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Normal, Uniform};

/// Standard deviation of the offsets, in pixels.
const OFFSET_DEVIATION: f64 = 2.0;

/// What a pass reads.
pub struct Operands {
    pub x: Buffer,
    pub offset: Buffer,
    pub mask: Buffer,
    pub weight: Buffer,
    pub bias: Buffer,
    /// Empty for the forward pass.
    pub grad_y: Buffer,
}

impl Operands {
    pub fn new(case: &Case, pass: Pass, dtype: Dtype) -> Self {
        let random = &mut Xoshiro256PlusPlus::seed_from_u64(0);
        let normal = |deviation| Normal::new(0.0, deviation).expect("a finite deviation");
        let depth = case.weight()[1..].iter().product::<i64>() as f64;
        Self {
            x: Buffer::random(&case.x, dtype, normal(1.0), random),
            offset: Buffer::random(&case.offset(), dtype, normal(OFFSET_DEVIATION), random),
            mask: Buffer::random(&case.mask(), dtype, Uniform::new(0.0, 1.0).expect("an interval"), random),
            weight: Buffer::random(&case.weight(), dtype, normal(depth.sqrt().recip()), random),
            bias: Buffer::random(&[case.out_channels], dtype, normal(1.0), random),
            grad_y: match pass {
                Pass::Forward => Buffer::new(0),
                Pass::Backward => Buffer::random(&case.y(), dtype, normal(1.0), random),
            },
        }
    }
}
