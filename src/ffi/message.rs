//! The message of the last failed call of each thread.

use std::cell::RefCell;
use std::ffi::c_char;
use std::ptr;

/// Longest message kept; a fixed buffer, so that keeping one cannot fail and leaves nothing to free at thread exit.
const CAPACITY: usize = 2048;

struct Message {
    bytes: [u8; CAPACITY],
    len: usize,
}

thread_local! {
    static LAST: RefCell<Message> = const { RefCell::new(Message { bytes: [0; CAPACITY], len: 0 }) };
}

/// The length of the longest prefix of `text` that fits `limit` bytes and ends at a character.
fn prefix(text: &str, limit: usize) -> usize {
    (0..=limit.min(text.len())).rev().find(|&n| text.is_char_boundary(n)).unwrap_or(0)
}

pub(super) fn set(text: &str) {
    LAST.with_borrow_mut(|message| {
        message.len = prefix(text, CAPACITY);
        message.bytes[..message.len].copy_from_slice(&text.as_bytes()[..message.len]);
    });
}

/// Copies the message of the last failed call made by this thread: which argument, what it was, what was expected.
///
/// UTF-8, cut at a character if `len` is too small, NUL-terminated if len > 0. Returns the full length without the NUL;
/// 0 (and "") if no call of this thread has failed. `buf` may be NULL if `len` is 0. Successful calls leave the message
/// as it is.
///
/// # Safety
///
/// `buf` must be NULL or point to `len` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dcn_last_error_message(buf: *mut c_char, len: usize) -> usize {
    LAST.with_borrow(|message| {
        let text = std::str::from_utf8(&message.bytes[..message.len]).unwrap_or("");
        // SAFETY: the caller's promise is the one `copy_text` asks for.
        unsafe { copy_text(text, buf, len) };
        text.len()
    })
}

/// Writes `text` to a C buffer: cut at a character, NUL-terminated if there is room for a byte.
///
/// # Safety
///
/// `buf` must be NULL or point to `len` writable bytes.
pub(super) unsafe fn copy_text(text: &str, buf: *mut c_char, len: usize) {
    if buf.is_null() || len == 0 {
        return;
    }
    let n = prefix(text, len - 1);
    // SAFETY: n + 1 <= len bytes are writable, and `text` is not in the caller's buffer.
    unsafe {
        ptr::copy_nonoverlapping(text.as_ptr().cast(), buf, n);
        *buf.add(n) = 0;
    }
}
