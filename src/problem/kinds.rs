//! The closed sets of a problem, read from the integers that cross the boundary.

use crate::abi::*;
use crate::error::{Error, Result};

/// Element type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DType {
    F32,
    F64,
    F16,
    Bf16,
}

impl DType {
    pub(super) fn read(tensor: &str, value: dcn_dtype) -> Result<Self> {
        Ok(match value {
            DCN_F32 => Self::F32,
            DCN_F64 => Self::F64,
            DCN_F16 => Self::F16,
            DCN_BF16 => Self::Bf16,
            _ => {
                let expected = "DCN_F32, DCN_F64, DCN_F16 or DCN_BF16";
                return Err(Error::argument(format!("{tensor}.dtype is {value}, expected {expected}")));
            }
        })
    }

    pub(super) fn to_abi(self) -> dcn_dtype {
        match self {
            Self::F32 => DCN_F32,
            Self::F64 => DCN_F64,
            Self::F16 => DCN_F16,
            Self::Bf16 => DCN_BF16,
        }
    }

    /// Bytes of an element, which is also its alignment.
    pub fn size(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }

    /// Up to here all integers are exact in the type that coordinates are computed in.
    pub(super) fn largest_coordinate(self) -> i64 {
        match self {
            Self::F64 => 1 << f64::MANTISSA_DIGITS,
            Self::F32 | Self::F16 | Self::Bf16 => 1 << f32::MANTISSA_DIGITS,
        }
    }
}

/// Where a problem is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Cpu,
    Ascend,
}

impl Backend {
    pub(super) fn read(value: dcn_backend) -> Result<Self> {
        match value {
            DCN_BACKEND_CPU => Ok(Self::Cpu),
            DCN_BACKEND_ASCEND => Ok(Self::Ascend),
            _ => Err(Error::argument(format!("backend is {value}, expected DCN_BACKEND_CPU or DCN_BACKEND_ASCEND"))),
        }
    }
}
