//! What a row of the benchmark is made of besides its case.

use deformconv::abi::*;
use half::{bf16, f16};
use serde::{Deserialize, Serialize};
use std::mem::size_of;
use std::str::FromStr;

/// Gives an enumeration the names it has on the command line, in tables and in JSON.
macro_rules! named {
    ($(#[$doc:meta])* $kind:ident { $($variant:ident = $name:literal),* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $kind { $(#[serde(rename = $name)] $variant),* }

        impl $kind {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }

        impl FromStr for $kind {
            type Err = String;

            fn from_str(name: &str) -> Result<Self, String> {
                let known: Vec<_> = Self::ALL.iter().map(|k| k.name()).collect();
                Self::ALL.iter().copied().find(|k| k.name() == name)
                    .ok_or_else(|| format!("\"{name}\" is none of: {}", known.join(", ")))
            }
        }
    };
}

named!(
    /// Element type of every tensor of a row.
    Dtype { F32 = "f32", F64 = "f64", F16 = "f16", Bf16 = "bf16" }
);
named!(
    /// Layout of x and y, and of their gradients. Offset and mask are row major in both.
    Layout { Nchw = "nchw", Nhwc = "nhwc" }
);
named!(
    /// Direction of the operator.
    Pass { Forward = "forward", Backward = "backward" }
);

impl Dtype {
    pub fn size(self) -> usize {
        match self {
            Self::F32 => size_of::<f32>(),
            Self::F64 => size_of::<f64>(),
            Self::F16 => size_of::<f16>(),
            Self::Bf16 => size_of::<bf16>(),
        }
    }

    pub fn code(self) -> dcn_dtype {
        match self {
            Self::F32 => DCN_F32,
            Self::F64 => DCN_F64,
            Self::F16 => DCN_F16,
            Self::Bf16 => DCN_BF16,
        }
    }

    /// Whether sums are computed in f64; halves are computed in f32.
    pub fn computes_in_f64(self) -> bool {
        self == Self::F64
    }
}

impl Pass {
    pub fn code(self) -> dcn_pass {
        match self {
            Self::Forward => DCN_PASS_FORWARD,
            Self::Backward => DCN_PASS_BACKWARD,
        }
    }
}
