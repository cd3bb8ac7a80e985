//! `dcn_context_create` and `dcn_context_destroy`.

use super::guard::guard;
use super::sized;
use crate::abi::*;
use crate::context::Context;
use crate::error::{Error, Result, require};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

/// Threads, memory and log that plans use. Plans keep what they need of it alive.
pub struct dcn_context(Arc<Context>);

/// Makes a context. `config` may be NULL for the defaults.
///
/// Errors: DCN_ERROR_NULL_POINTER (`out`), DCN_ERROR_STRUCT_SIZE, DCN_ERROR_INVALID_ARGUMENT (num_threads out of range,
/// unknown max_isa, half an allocator or executor, reserved fields, environment variables that make no sense),
/// DCN_ERROR_UNSUPPORTED (max_isa of another architecture), DCN_ERROR_OUT_OF_MEMORY (a thread could not be started).
/// `*out` is NULL after an error.
///
/// # Safety
///
/// `config` must be NULL or point to a dcn_context_config whose callbacks stay callable until the context and all its
/// plans are destroyed; `out` must be NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dcn_context_create(
    config: *const dcn_context_config,
    out: *mut *mut dcn_context,
) -> dcn_status {
    guard(|| {
        require(!out.is_null(), || Error::null("out", "where to store the context"))?;
        // SAFETY: the caller's promise; may be unaligned, so written without a reference.
        unsafe { out.write_unaligned(ptr::null_mut()) };
        let config = if config.is_null() {
            default_config()
        } else {
            // SAFETY: the caller's promise.
            unsafe { sized::read(config, "config")? }
        };
        // SAFETY: the caller keeps the callbacks callable.
        let context = unsafe { Context::new(&config)? };
        let handle = Box::into_raw(Box::new(dcn_context(Arc::new(context))));
        // SAFETY: as above.
        unsafe { out.write_unaligned(handle) };
        Ok(())
    })
}

/// Drops the caller's reference. The context's threads and callbacks are last used when its last plan is destroyed too.
/// NULL does nothing. Not to be called from a task or a callback, nor while a call that was given it runs.
///
/// # Safety
///
/// `context` must be NULL or a handle from dcn_context_create that was not destroyed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dcn_context_destroy(context: *mut dcn_context) {
    if !context.is_null() {
        guard(|| {
            // SAFETY: the handle came from Box::into_raw and is given up here.
            drop(unsafe { Box::from_raw(context) });
            Ok(())
        });
    }
}

fn default_config() -> dcn_context_config {
    // SAFETY: zero is the default of every field and a value of each: integers, pointers, optional functions.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// The context behind a handle; for NULL the process-wide default one, made on first use.
///
/// # Safety
///
/// `context` must be NULL or a live handle.
pub(super) unsafe fn resolve(context: *const dcn_context) -> Result<Arc<Context>> {
    static DEFAULT: Mutex<Option<Arc<Context>>> = Mutex::new(None);
    if !context.is_null() {
        // SAFETY: the caller's promise.
        return Ok(unsafe { (*context).0.clone() });
    }
    let mut default = DEFAULT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(context) = default.as_ref() {
        return Ok(context.clone());
    }
    // SAFETY: the default configuration has no callbacks.
    let made = Arc::new(unsafe { Context::new(&default_config())? });
    Ok(default.insert(made).clone())
}
