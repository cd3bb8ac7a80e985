//! Element types: how they are stored, rounded and spaced.

use deformconv::abi::*;
use half::{bf16, f16};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dtype {
    F32,
    F64,
    F16,
    Bf16,
}

impl Dtype {
    pub const ALL: [Self; 4] = [Self::F32, Self::F64, Self::F16, Self::Bf16];

    pub fn code(self) -> dcn_dtype {
        match self {
            Self::F32 => DCN_F32,
            Self::F64 => DCN_F64,
            Self::F16 => DCN_F16,
            Self::Bf16 => DCN_BF16,
        }
    }

    pub fn size(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    pub fn is_half(self) -> bool {
        self.size() == 2
    }

    /// The unit of the contract's bound: that of the type which sums are computed in.
    pub fn tolerance(self) -> f64 {
        if self == Self::F64 { 2f64.powi(-52) } else { 2f64.powi(-23) }
    }

    /// # Safety
    ///
    /// `from` must point to an element of this type.
    pub unsafe fn read(self, from: *const u8) -> f64 {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Self::F32 => from.cast::<f32>().read().into(),
                Self::F64 => from.cast::<f64>().read(),
                Self::F16 => from.cast::<f16>().read().to_f64(),
                Self::Bf16 => from.cast::<bf16>().read().to_f64(),
            }
        }
    }

    /// # Safety
    ///
    /// `to` must point to memory for an element of this type.
    pub unsafe fn write(self, to: *mut u8, value: f64) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Self::F32 => to.cast::<f32>().write(value as f32),
                Self::F64 => to.cast::<f64>().write(value),
                Self::F16 => to.cast::<f16>().write(f16::from_f64(value)),
                Self::Bf16 => to.cast::<bf16>().write(bf16::from_f64(value)),
            }
        }
    }

    /// `base + offset` as the contract has it: the base exact in the compute type, then one rounded addition.
    pub fn coordinate(self, base: i64, offset: f64) -> f64 {
        match self {
            Self::F64 => base as f64 + offset,
            _ => (base as f32 + offset as f32).into(),
        }
    }

    /// The numbers that round to `value`, from the least to the greatest: those between the midpoints to its
    /// neighbours. For f32 and f64, whose results are sums as they came out, `value` alone.
    pub fn rounding_cell(self, value: f64) -> (f64, f64) {
        if !self.is_half() {
            return (value, value);
        }
        let (bits, infinity) = match self {
            Self::F16 => (f16::from_f64(value).to_bits(), f16::INFINITY.to_bits()),
            _ => (bf16::from_f64(value).to_bits(), bf16::INFINITY.to_bits()),
        };
        let magnitude = bits & 0x7fff;
        let midpoint = |below: u16| (self.extended(below, infinity) + self.extended(below + 1, infinity)) / 2.0;
        let low = if magnitude == 0 { -midpoint(0) } else { midpoint(magnitude - 1) };
        let high = if magnitude == infinity { f64::INFINITY } else { midpoint(magnitude) };
        if value.is_sign_negative() { (-high, -low) } else { (low, high) }
    }

    /// The value of non-negative bits, as if the exponents went on where infinity is.
    fn extended(self, bits: u16, infinity: u16) -> f64 {
        let value =
            |bits| if self == Self::F16 { f16::from_bits(bits).to_f64() } else { bf16::from_bits(bits).to_f64() };
        if bits < infinity { value(bits) } else { 2.0 * value(infinity - 1) - value(infinity - 2) }
    }
}
