//! The panic boundary, and where errors become statuses.

use super::message;
use crate::abi::*;
use crate::error::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the body of an exported function. Errors and panics leave their message for the calling thread.
pub(super) fn guard(body: impl FnOnce() -> Result<()>) -> dcn_status {
    let error = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return DCN_OK,
        Ok(Err(error)) => error,
        Err(payload) => {
            let what = payload.downcast_ref::<&str>().copied();
            let what = what.or(payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
            let error = Error::internal(format!("a defect of deformconv, please report it: {what}"));
            // Dropping a payload may run foreign code that panics again.
            std::mem::forget(payload);
            error
        }
    };
    message::set(&error.message);
    error.status
}
