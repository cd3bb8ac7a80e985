//! `dcn_status`: what every fallible function returns.

/// Result of a call: `DCN_OK` (0) or one of the `DCN_ERROR_...` values. Values are never reused; a newer library may
/// return values that an older header does not name.
pub type dcn_status = i32;

/// Success.
pub const DCN_OK: dcn_status = 0;
/// A pointer that must not be NULL is NULL.
pub const DCN_ERROR_NULL_POINTER: dcn_status = 1;
/// A value, flag bit or combination of arguments that this library does not know or that is not allowed.
pub const DCN_ERROR_INVALID_ARGUMENT: dcn_status = 2;
/// Shapes that do not fit one another, are out of range, or do not satisfy the size equation.
pub const DCN_ERROR_INVALID_SHAPE: dcn_status = 3;
/// Strides that make an output overlap itself, or whose extent does not fit 64 bits.
pub const DCN_ERROR_INVALID_STRIDE: dcn_status = 4;
/// An output or the workspace shares memory with another argument.
pub const DCN_ERROR_OVERLAP: dcn_status = 5;
/// A pointer that is not a multiple of its element size.
pub const DCN_ERROR_MISALIGNED: dcn_status = 6;
/// Valid, but not supported by this backend, profile or release.
pub const DCN_ERROR_UNSUPPORTED: dcn_status = 7;
/// An allocation failed or a thread could not be started.
pub const DCN_ERROR_OUT_OF_MEMORY: dcn_status = 8;
/// The caller's workspace or packed weight buffer is smaller than the plan asks for.
pub const DCN_ERROR_WORKSPACE_TOO_SMALL: dcn_status = 9;
/// A `struct_size` that no release had, or fields beyond what this library knows that are not zero.
pub const DCN_ERROR_STRUCT_SIZE: dcn_status = 10;
/// The backend cannot be used on this machine; see `dcn_backend_status`.
pub const DCN_ERROR_BACKEND_UNAVAILABLE: dcn_status = 11;
/// The device reported an error; its number is in the message.
pub const DCN_ERROR_BACKEND: dcn_status = 12;
/// The host's executor failed or broke its contract.
pub const DCN_ERROR_EXECUTOR: dcn_status = 13;
/// A defect of this library; please report it with the message.
pub const DCN_ERROR_INTERNAL: dcn_status = 14;
