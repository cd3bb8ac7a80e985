//! What tensors are filled with.

use super::case::Case;
use super::dtype::Dtype;

/// A sequence of numbers that depends on its seed alone (SplitMix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64, stream: u64) -> Self {
        Self(seed ^ stream.wrapping_mul(0xA24B_AED4_963E_E407))
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.bits() % n
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.bits() >> 11) as f64 * 2f64.powi(-53)
    }

    pub fn one_of(&mut self, choices: &[f64]) -> f64 {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// What x, weight, bias and grad_y hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// -1 to 1.
    Plain,
    /// -4 to 4, so that sums are exact.
    Integers,
    /// Magnitudes from 2^-8 to 2^8.
    Wide,
    /// Mostly `Plain`, with NaN, infinities and zeros among them.
    NonFinite,
}

impl Numbers {
    pub const ALL: [Self; 4] = [Self::Plain, Self::Integers, Self::Wide, Self::NonFinite];

    pub fn draw(self, random: &mut Random) -> f64 {
        match self {
            Self::Plain => random.between(-1.0, 1.0),
            Self::Integers => random.below(9) as f64 - 4.0,
            Self::Wide => random.one_of(&[-1.0, 1.0]) * random.between(-8.0, 8.0).exp2(),
            Self::NonFinite if random.below(40) == 0 => {
                random.one_of(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0])
            }
            Self::NonFinite => Self::Plain.draw(random),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Masks {
    /// 0 to 1, as a sigmoid gives.
    Unit,
    /// -2 to 2.
    Signed,
    /// Many of them 0, of either sign.
    Zeros,
    /// As large as sums of products can stand.
    Huge,
    /// Some NaN, some infinite.
    NonFinite,
}

impl Masks {
    pub const ALL: [Self; 5] = [Self::Unit, Self::Signed, Self::Zeros, Self::Huge, Self::NonFinite];

    pub fn draw(self, dtype: Dtype, random: &mut Random) -> f64 {
        match self {
            Self::Unit => random.between(0.0, 1.0),
            Self::Signed => random.between(-2.0, 2.0),
            Self::Zeros => random.one_of(&[0.0, -0.0, 0.0, 1.0]) + random.one_of(&[-0.0, 0.625]),
            Self::Huge => {
                let huge = match dtype {
                    Dtype::F32 | Dtype::Bf16 => 1e25,
                    Dtype::F64 => 1e200,
                    Dtype::F16 => 3e4,
                };
                random.between(-huge, huge)
            }
            Self::NonFinite if random.below(20) == 0 => random.one_of(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
            Self::NonFinite => Self::Unit.draw(dtype, random),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offsets {
    Zero,
    /// Less than half a pixel.
    Small,
    /// A few pixels.
    Moderate,
    /// Whole pixels.
    Integers,
    /// To anywhere in the image or just outside of it, however far that is.
    Anywhere,
    /// To coordinates on the borders of the image and of the range, and to their neighbours.
    Edges,
    /// Far outside.
    Far,
    /// NaN, infinities, numbers that no integer type holds, and some that are hardly there.
    Extreme,
    /// Each one drawn from one of the others.
    Mixed,
    /// To the middle half of a cell: away from the edges, where the operator is differentiable.
    InsideCells,
    /// All of them to one place within the first cell.
    OnePlace,
    /// A few pixels, but of every fifth tap anywhere.
    FarTaps,
}

impl Offsets {
    pub const ALL: [Self; 9] = [
        Self::Zero,
        Self::Small,
        Self::Moderate,
        Self::Integers,
        Self::Anywhere,
        Self::Edges,
        Self::Far,
        Self::Extreme,
        Self::Mixed,
    ];

    /// The offset of [n, channel, p, q].
    pub fn draw(self, case: &Case, index: &[i64], random: &mut Random) -> f64 {
        let axis = (index[1] % 2) as usize;
        let tap = index[1] / 2 % case.taps();
        let tap = if axis == 0 { tap / case.kernel[1] } else { tap % case.kernel[1] };
        let base = case.base(axis, index[2 + axis], tap) as f64;
        let size = [case.h, case.w][axis] as f64;
        match self {
            Self::Zero => 0.0,
            Self::Small => random.between(-0.5, 0.5),
            Self::Moderate => random.between(-3.0, 3.0),
            Self::Integers => random.below(7) as f64 - 3.0,
            Self::Anywhere => random.between(-1.5, size + 0.5) - base,
            Self::Edges => edge(case.dtype, size, random) - base,
            Self::Far => random.one_of(&[-1.0, 1.0]) * random.between(10.0, 50_000.0),
            Self::Extreme => {
                // Not so small that products of corner weights underflow: the error bound is one without underflow.
                random.one_of(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e30, -1e30, 3e9, -3e9, 1e-15, -1e-15])
            }
            Self::Mixed => {
                let regimes = &Self::ALL[..Self::ALL.len() - 1];
                regimes[random.below(regimes.len() as u64) as usize].draw(case, index, random)
            }
            Self::OnePlace => 0.3 - base,
            Self::FarTaps if index[1] / 2 % 5 == 4 => Self::Anywhere.draw(case, index, random),
            Self::FarTaps => Self::Moderate.draw(case, index, random),
            Self::InsideCells => random.below(5) as f64 - 2.0 + random.between(0.25, 0.75),
        }
    }
}

/// A coordinate on or beside a border.
fn edge(dtype: Dtype, size: f64, random: &mut Random) -> f64 {
    let tiny = if dtype == Dtype::F64 { 2f64.powi(-53) } else { 2f64.powi(-24) };
    let border = random.one_of(&[-1.0, -0.0, 0.0, size - 1.0, size]);
    let step = random.one_of(&[0.0, 0.0, 0.0, -1.0, 1.0]) * tiny;
    // Neighbours are `tiny` times the magnitude apart, or half of that below a power of two.
    border + step * random.one_of(&[1.0, 2.0]) * border.abs().max(1.0)
}
