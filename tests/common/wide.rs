//! Arithmetic wider than the tensors': f64 for those computed in f32, double-double for those computed in f64.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Mul, Neg, Sub};

/// What the reference computes in.
pub trait Wide:
    Copy + Debug + From<f64> + Add<Output = Self> + AddAssign + Sub<Output = Self> + Mul<Output = Self> + Neg<Output = Self>
{
    /// The nearest f64, and what is missing from it.
    fn parts(self) -> (f64, f64);
}

impl Wide for f64 {
    fn parts(self) -> (f64, f64) {
        (self, 0.0)
    }
}

/// An unevaluated sum `high + low`, |low| at most half a unit in the last place of `high`: some 106 bits. Sums and
/// products of finite numbers are off by a few 2^-104 of their operands; of others, only that they are not finite
/// holds.
#[derive(Clone, Copy, Debug)]
pub struct DoubleDouble {
    high: f64,
    low: f64,
}

/// a + b without error (Knuth).
fn two_sum(a: f64, b: f64) -> DoubleDouble {
    let high = a + b;
    let b_part = high - a;
    DoubleDouble { high, low: (a - (high - b_part)) + (b - b_part) }
}

/// high + low without error, where |high| >= |low| (Dekker).
fn renormalised(high: f64, low: f64) -> DoubleDouble {
    let sum = high + low;
    DoubleDouble { high: sum, low: low - (sum - high) }
}

impl From<f64> for DoubleDouble {
    fn from(high: f64) -> Self {
        Self { high, low: 0.0 }
    }
}

impl Add for DoubleDouble {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let high = two_sum(self.high, other.high);
        let low = two_sum(self.low, other.low);
        let sum = renormalised(high.high, high.low + low.high);
        renormalised(sum.high, sum.low + low.low)
    }
}

impl AddAssign for DoubleDouble {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Neg for DoubleDouble {
    type Output = Self;

    fn neg(self) -> Self {
        Self { high: -self.high, low: -self.low }
    }
}

impl Sub for DoubleDouble {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for DoubleDouble {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let product = self.high * other.high;
        let error = self.high.mul_add(other.high, -product);
        renormalised(product, error + (self.high * other.low + self.low * other.high))
    }
}

impl Wide for DoubleDouble {
    fn parts(self) -> (f64, f64) {
        (self.high, self.low)
    }
}
