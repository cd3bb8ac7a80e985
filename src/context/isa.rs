//! Instruction sets: what this processor has and what the host allows.

use crate::error::{Error, Result};
use std::env;
use std::ffi::{CStr, OsString, c_char};

/// Instruction sets, in the order of preference among those of one architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    Scalar,
    Neon,
    Avx2,
    Avx512,
}

impl Isa {
    pub const ALL: [Self; 4] = [Self::Scalar, Self::Neon, Self::Avx2, Self::Avx512];

    pub fn name(self) -> &'static CStr {
        match self {
            Self::Scalar => c"scalar",
            Self::Neon => c"neon",
            Self::Avx2 => c"avx2",
            Self::Avx512 => c"avx512",
        }
    }

    /// Whether kernels for this set are compiled for this architecture.
    fn is_of_this_architecture(self) -> bool {
        match self {
            Self::Scalar => true,
            Self::Neon => cfg!(target_arch = "aarch64"),
            Self::Avx2 | Self::Avx512 => cfg!(target_arch = "x86_64"),
        }
    }

    /// Whether this processor (and its operating system) can run this set.
    pub fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon => true,
            #[allow(unreachable_patterns, reason = "which arms exist depends on the architecture")]
            _ => false,
        }
    }

    /// The best available set not above the cap: `max_isa` if not NULL, else DCN_MAX_ISA, else none.
    ///
    /// # Safety
    ///
    /// `max_isa` must be NULL or a C string.
    pub unsafe fn highest(max_isa: *const c_char) -> Result<Self> {
        let cap = if !max_isa.is_null() {
            // SAFETY: the caller's promise.
            let name = unsafe { CStr::from_ptr(max_isa) };
            Some(Self::parse("config->max_isa", &name.to_string_lossy())?)
        } else {
            let name = env::var_os("DCN_MAX_ISA").filter(|name| !name.is_empty());
            let parse = |name: OsString| Self::parse("environment variable DCN_MAX_ISA", &name.to_string_lossy());
            name.map(parse).transpose()?
        };
        let allowed = |isa: &Self| isa.is_available() && cap.is_none_or(|cap| *isa <= cap);
        Ok(Self::ALL.into_iter().filter(allowed).max().unwrap_or(Self::Scalar))
    }

    fn parse(argument: &str, name: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|isa| isa.name().to_bytes() == name.as_bytes());
        match known {
            Some(isa) if isa.is_of_this_architecture() => Ok(isa),
            Some(_) => Err(Error::unsupported(format!(
                "{argument} is \"{name}\", which is not an instruction set of this architecture ({})",
                env::consts::ARCH
            ))),
            None => Err(Error::argument(format!(
                "{argument} is \"{name}\", expected \"scalar\", \"avx2\", \"avx512\" or \"neon\""
            ))),
        }
    }
}
