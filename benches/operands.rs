//! Memory for a case: the operands, filled with the same random values in every run.

use crate::cases::Case;
use crate::kinds::Dtype;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Distribution, Normal, Uniform};
use std::ffi::c_void;

/// Standard deviation of the offsets, in pixels.
const OFFSET_DEVIATION: f64 = 2.0;

/// Zeroed bytes that start on a cache line, as the tensors of the common frameworks do.
pub struct Buffer {
    lines: Vec<Line>,
    pub bytes: usize,
}

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[allow(dead_code, reason = "read and written through pointers")] [u8; 64]);

impl Buffer {
    pub fn new(bytes: usize) -> Self {
        Self { lines: vec![Line([0; 64]); bytes.div_ceil(64)], bytes }
    }

    pub fn as_ptr(&self) -> *const c_void {
        self.lines.as_ptr().cast()
    }

    pub fn as_mut_ptr(&mut self) -> *mut c_void {
        self.lines.as_mut_ptr().cast()
    }

    fn tensor(dims: &[i64], dtype: Dtype) -> Self {
        Self::new(dims.iter().product::<i64>() as usize * dtype.size())
    }

    /// A tensor of random values; its layout makes no difference, so none is asked for.
    fn random(
        dims: &[i64],
        dtype: Dtype,
        distribution: impl Distribution<f64>,
        random: &mut Xoshiro256PlusPlus,
    ) -> Self {
        let mut tensor = Self::tensor(dims, dtype);
        let values = distribution.sample_iter(random);
        let start = tensor.as_mut_ptr();
        for (i, value) in values.take(tensor.bytes / dtype.size()).enumerate() {
            // SAFETY: element i is inside the buffer, which is aligned for every dtype.
            unsafe {
                match dtype {
                    Dtype::F32 => start.cast::<f32>().add(i).write(value as f32),
                    Dtype::F64 => start.cast::<f64>().add(i).write(value),
                }
            }
        }
        tensor
    }
}

/// The inputs of a case.
pub struct Operands {
    pub x: Buffer,
    pub offset: Buffer,
    pub mask: Buffer,
    pub weight: Buffer,
    pub bias: Buffer,
}

impl Operands {
    pub fn new(case: &Case, dtype: Dtype) -> Self {
        let random = &mut Xoshiro256PlusPlus::seed_from_u64(0);
        let normal = |deviation| Normal::new(0.0, deviation).expect("a finite deviation");
        let depth = case.weight()[1..].iter().product::<i64>() as f64;
        Self {
            x: Buffer::random(&case.x, dtype, normal(1.0), random),
            offset: Buffer::random(&case.offset(), dtype, normal(OFFSET_DEVIATION), random),
            mask: Buffer::random(&case.mask(), dtype, Uniform::new(0.0, 1.0).expect("an interval"), random),
            weight: Buffer::random(&case.weight(), dtype, normal(depth.sqrt().recip()), random),
            bias: Buffer::random(&[case.out_channels], dtype, normal(1.0), random),
        }
    }

    pub fn y(case: &Case, dtype: Dtype) -> Buffer {
        Buffer::tensor(&case.y(), dtype)
    }
}
