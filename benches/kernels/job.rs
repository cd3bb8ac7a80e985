//! A kernel with operands to work on.

use crate::common::buffer::Buffer;
use crate::common::kinds::Dtype;
use deformconv::cpu::element::Compute;
use deformconv::cpu::kernels::HasKernels;
use half::{bf16, f16};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Distribution, Normal};
use std::time::{Duration, Instant};

/// Positions of a tile, the longest chain of additions, and what is added to rows of the library's scratch.
pub const POSITIONS: usize = 96;
pub const DEPTH: usize = 256;
pub const ROW_PADDING: usize = 16;

/// Calls of so much time are timed together.
pub const BATCH: Duration = Duration::from_micros(200);

/// A type that the benchmarks have a name for.
pub trait Named {
    const KIND: Dtype;
}

macro_rules! named {
    ($($type:ty: $kind:ident)*) => {
        $(impl Named for $type {
            const KIND: Dtype = Dtype::$kind;
        })*
    };
}

named!(f32: F32 f64: F64 f16: F16 bf16: Bf16);

/// What tensors are made of.
pub trait Stored: Named + HasKernels<Compute: Value> {}

impl<T: Named + HasKernels<Compute: Value>> Stored for T {}

/// What kernels compute with.
pub trait Value: Named + Compute + HasKernels<Compute = Self> {}

impl<T: Named + Compute + HasKernels<Compute = T>> Value for T {}

/// Operands, the same in every run.
pub struct Memory {
    random: Xoshiro256PlusPlus,
    buffers: Vec<Buffer>,
}

impl Memory {
    pub fn new() -> Self {
        Self { random: Xoshiro256PlusPlus::seed_from_u64(0), buffers: Vec::new() }
    }

    pub fn zeros<T>(&mut self, len: usize) -> *mut T {
        self.keep(Buffer::new(len * size_of::<T>()))
    }

    /// Of a normal distribution of deviation 1.
    pub fn values<T: Stored>(&mut self, len: usize) -> *mut T {
        self.random(len, Normal::new(0.0, 1.0).expect("a finite deviation"))
    }

    pub fn random<T: Stored>(&mut self, len: usize, distribution: impl Distribution<f64>) -> *mut T {
        let buffer = Buffer::random(&[len as i64], T::KIND, distribution, &mut self.random);
        self.keep(buffer)
    }

    fn keep<T>(&mut self, mut buffer: Buffer) -> *mut T {
        let start = buffer.as_mut_ptr().cast();
        self.buffers.push(buffer);
        start
    }
}

pub struct Job {
    /// Among the jobs of a kernel.
    pub number: usize,
    pub size: String,
    /// Values moved or sampled, positions, or multiply-adds: what the kernel's time grows with.
    pub elements: usize,
    /// Floating-point operations; 0 where multiplying and adding is not what the kernel is for.
    pub flops: usize,
    call: Box<dyn FnMut()>,
    _memory: Memory,
}

impl Job {
    /// `call` calls the kernel on operands in `memory`.
    pub fn new(size: String, [elements, flops]: [usize; 2], memory: Memory, call: impl FnMut() + 'static) -> Self {
        Self { number: 0, size, elements, flops, call: Box::new(call), _memory: memory }
    }

    pub fn call(&mut self) {
        (self.call)();
    }

    /// How many calls take about as long.
    pub fn calls_in(&mut self, duration: Duration) -> usize {
        let (start, mut calls) = (Instant::now(), 0);
        while start.elapsed() < duration {
            self.call();
            calls += 1;
        }
        calls
    }
}

/// Jobs that differ in one size.
pub fn sizes(sizes: &[usize], job: impl Fn(usize) -> Job) -> Vec<Job> {
    sizes.iter().enumerate().map(|(number, &size)| Job { number, ..job(size) }).collect()
}
