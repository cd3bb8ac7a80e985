//! `dcn_status_string`.

use crate::abi::*;
use std::ffi::{CStr, c_char};

/// The name of a status, for example "DCN_ERROR_OVERLAP". Never NULL; "unknown dcn_status" for values this library does
/// not know.
#[unsafe(no_mangle)]
pub extern "C" fn dcn_status_string(status: dcn_status) -> *const c_char {
    let name: &'static CStr = match status {
        DCN_OK => c"DCN_OK",
        DCN_ERROR_NULL_POINTER => c"DCN_ERROR_NULL_POINTER",
        DCN_ERROR_INVALID_ARGUMENT => c"DCN_ERROR_INVALID_ARGUMENT",
        DCN_ERROR_INVALID_SHAPE => c"DCN_ERROR_INVALID_SHAPE",
        DCN_ERROR_INVALID_STRIDE => c"DCN_ERROR_INVALID_STRIDE",
        DCN_ERROR_OVERLAP => c"DCN_ERROR_OVERLAP",
        DCN_ERROR_MISALIGNED => c"DCN_ERROR_MISALIGNED",
        DCN_ERROR_UNSUPPORTED => c"DCN_ERROR_UNSUPPORTED",
        DCN_ERROR_OUT_OF_MEMORY => c"DCN_ERROR_OUT_OF_MEMORY",
        DCN_ERROR_WORKSPACE_TOO_SMALL => c"DCN_ERROR_WORKSPACE_TOO_SMALL",
        DCN_ERROR_STRUCT_SIZE => c"DCN_ERROR_STRUCT_SIZE",
        DCN_ERROR_BACKEND_UNAVAILABLE => c"DCN_ERROR_BACKEND_UNAVAILABLE",
        DCN_ERROR_BACKEND => c"DCN_ERROR_BACKEND",
        DCN_ERROR_EXECUTOR => c"DCN_ERROR_EXECUTOR",
        DCN_ERROR_INTERNAL => c"DCN_ERROR_INTERNAL",
        _ => c"unknown dcn_status",
    };
    name.as_ptr()
}
