//! Memory for tensors.

use super::kinds::Dtype;
use half::{bf16, f16};
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::Distribution;
use std::ffi::c_void;

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

    pub fn tensor(dims: &[i64], dtype: Dtype) -> Self {
        Self::new(dims.iter().product::<i64>() as usize * dtype.size())
    }

    /// A tensor of random values; its layout makes no difference, so none is asked for.
    pub fn random(
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
                    Dtype::F16 => start.cast::<f16>().add(i).write(f16::from_f64(value)),
                    Dtype::Bf16 => start.cast::<bf16>().add(i).write(bf16::from_f64(value)),
                }
            }
        }
        tensor
    }
}
