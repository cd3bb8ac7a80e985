//! Numbers and where they come from.

use deformconv::cpu::element::Compute;
use deformconv::cpu::kernels::HasKernels;
use half::{bf16, f16};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Distribution, Uniform};
use std::fmt::Debug;

/// Any pattern of bits is a value of it.
pub trait Number: Copy + Debug {
    /// Equal, or NaN both.
    fn same(self, other: Self) -> bool;
}

impl Number for i32 {
    fn same(self, other: Self) -> bool {
        self == other
    }
}

/// What tensors are made of.
pub trait Stored: Number + HasKernels<Compute: Value> {}

impl<T: Number + HasKernels<Compute: Value>> Stored for T {}

/// What kernels compute with.
pub trait Value: Number + Compute + HasKernels<Compute = Self> {
    const EPSILON: f64;
    fn from_f64(value: f64) -> Self;
    fn to_f64(self) -> f64;
}

macro_rules! value {
    ($type:ty) => {
        impl Number for $type {
            fn same(self, other: Self) -> bool {
                self == other || self.is_nan() && other.is_nan()
            }
        }

        impl Value for $type {
            const EPSILON: f64 = <$type>::EPSILON as f64;

            fn from_f64(value: f64) -> Self {
                value as Self
            }

            fn to_f64(self) -> f64 {
                self.into()
            }
        }
    };
}

value!(f32);
value!(f64);

macro_rules! half {
    ($type:ty) => {
        impl Number for $type {
            fn same(self, other: Self) -> bool {
                self == other || self.is_nan() && other.is_nan()
            }
        }
    };
}

half!(f16);
half!(bf16);

pub fn magnitude<T: Value>(value: T) -> T {
    T::from_f64(value.to_f64().abs())
}

pub struct Random(Xoshiro256PlusPlus);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    pub fn below(&mut self, n: usize) -> usize {
        Uniform::new(0, n).expect("a choice").sample(&mut self.0)
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn between<T: Value>(&mut self, low: f64, high: f64) -> T {
        T::from_f64(Uniform::new(low, high).expect("an interval").sample(&mut self.0))
    }

    /// -1 to 1; where wanted, now and then not finite.
    pub fn number<T: Value>(&mut self, finite: bool) -> T {
        if !finite && self.one_in(30) {
            return T::from_f64([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0][self.below(4)]);
        }
        self.between(-1.0, 1.0)
    }

    /// Of few bits and any magnitude that half precision has, and of those that it has not: what lies halfway between
    /// two halves is among them.
    pub fn of_few_bits<T: Value>(&mut self) -> T {
        let sign = [-1.0, 1.0][self.below(2)];
        let most = [1 << 9, 1 << 12][self.below(2)];
        let bits = self.below(most) as f64;
        let greatest = f64::from(f32::MAX);
        match self.below(12) {
            0 => T::from_f64([f64::NAN, f64::INFINITY, -0.0, 0.0, greatest, 1e-40][self.below(6)] * sign),
            1 => T::from_f64(sign * bits * (self.below(240) as f64 - 150.0).exp2()),
            _ => T::from_f64(sign * bits * (self.below(44) as f64 - 37.0).exp2()),
        }
    }
}
