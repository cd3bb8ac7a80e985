//! What a row of the benchmark is made of besides its case.

use deformconv::abi::*;
use serde::Serialize;
use std::mem::size_of;
use std::str::FromStr;

/// Gives an enumeration the names it has on the command line, in tables and in JSON.
macro_rules! named {
    ($(#[$doc:meta])* $kind:ident { $($variant:ident = $name:literal),* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
    Dtype { F32 = "f32", F64 = "f64" }
);
named!(
    /// Layout of x and y. Offset and mask are row major in both.
    Layout { Nchw = "nchw", Nhwc = "nhwc" }
);
named!(
    /// Direction of the operator.
    Pass { Forward = "forward" }
);

impl Dtype {
    pub fn size(self) -> usize {
        match self {
            Self::F32 => size_of::<f32>(),
            Self::F64 => size_of::<f64>(),
        }
    }

    pub fn code(self) -> dcn_dtype {
        match self {
            Self::F32 => DCN_F32,
            Self::F64 => DCN_F64,
        }
    }
}
