//! The one error type: a status of the C interface and a message for a person.

use crate::abi::*;

/// A refused or failed call. The message names the argument, what it was and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub status: dcn_status,
    pub message: String,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(status: dcn_status, message: impl Into<String>) -> Self {
        debug_assert_ne!(status, DCN_OK);
        Self { status, message: message.into() }
    }

    pub fn null(argument: &str, expected: &str) -> Self {
        Self::new(DCN_ERROR_NULL_POINTER, format!("{argument} is NULL, expected {expected}"))
    }

    pub fn argument(message: impl Into<String>) -> Self {
        Self::new(DCN_ERROR_INVALID_ARGUMENT, message)
    }

    pub fn shape(message: impl Into<String>) -> Self {
        Self::new(DCN_ERROR_INVALID_SHAPE, message)
    }

    pub fn stride(message: impl Into<String>) -> Self {
        Self::new(DCN_ERROR_INVALID_STRIDE, message)
    }

    pub fn overlap(message: impl Into<String>) -> Self {
        Self::new(DCN_ERROR_OVERLAP, message)
    }

    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(DCN_ERROR_UNSUPPORTED, message)
    }

    pub fn out_of_memory(message: impl Into<String>) -> Self {
        Self::new(DCN_ERROR_OUT_OF_MEMORY, message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(DCN_ERROR_INTERNAL, message)
    }
}

/// `Ok` if the rule holds, else the error that `otherwise` makes.
pub fn require(rule: bool, otherwise: impl FnOnce() -> Error) -> Result<()> {
    if rule { Ok(()) } else { Err(otherwise()) }
}
