//! `dcn_backend_status`.

use super::guard::guard;
use super::message::copy_text;
use crate::abi::*;
use crate::error::Error;
use std::ffi::c_char;

/// Whether a backend can be used on this machine: DCN_OK, DCN_ERROR_BACKEND_UNAVAILABLE, or DCN_ERROR_INVALID_ARGUMENT
/// for an unknown backend. `detail` always receives a line that says why, cut and NUL-terminated like
/// dcn_last_error_message; it may be NULL if `len` is 0.
///
/// # Safety
///
/// `detail` must be NULL or point to `len` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dcn_backend_status(backend: dcn_backend, detail: *mut c_char, len: usize) -> dcn_status {
    guard(|| {
        let outcome = crate::plan::backend_status(backend);
        let text = outcome.as_ref().unwrap_or_else(|error: &Error| &error.message);
        // SAFETY: the caller's promise.
        unsafe { copy_text(text, detail, len) };
        outcome.map(drop)
    })
}
