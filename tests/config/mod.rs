//! Configurations and what `dcn_context_create` says to them.

use deformconv::abi::*;
use deformconv::ffi::{dcn_context_create, dcn_context_destroy, dcn_last_error_message};
use std::mem::MaybeUninit;
use std::ptr;

pub fn default_config() -> dcn_context_config {
    // SAFETY: all zero is a value of it, and the default.
    let zero: dcn_context_config = unsafe { MaybeUninit::zeroed().assume_init() };
    dcn_context_config { struct_size: size_of::<dcn_context_config>(), ..zero }
}

/// Creates a context and destroys it; checks that there is one if and only if that succeeds.
pub fn create(config: &dcn_context_config) -> dcn_status {
    let mut context = ptr::without_provenance_mut(8);
    // SAFETY: the config is readable; a longer struct_size than known is followed by as many bytes in the tests that
    // use one. The handle is destroyed once.
    unsafe {
        let status = dcn_context_create(config, &mut context);
        assert_eq!(status == DCN_OK, !context.is_null());
        dcn_context_destroy(context);
        status
    }
}

/// The message of this thread's last failure.
pub fn message() -> String {
    let mut buffer = [0_u8; 4096];
    // SAFETY: the buffer is as long as it says.
    let len = unsafe { dcn_last_error_message(buffer.as_mut_ptr().cast(), buffer.len()) };
    String::from_utf8(buffer[..len].to_vec()).expect("messages are UTF-8")
}
