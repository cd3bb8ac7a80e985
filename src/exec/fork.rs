//! Noticing that this process is a fork of the one that started the threads.

use crate::error::{Error, Result, require};
use std::ffi::c_int;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many forks lie between this process and the first that used the library. Threads that were started under
/// another number do not exist here.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Two values are equal if there was no fork between them.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Makes forks count from now on; to be called before threads are started.
pub(crate) fn watch() -> Result<()> {
    static OUTCOME: OnceLock<c_int> = OnceLock::new();
    let code = *OUTCOME.get_or_init(register);
    require(code == 0, || Error::out_of_memory(format!("pthread_atfork failed with {code}")))
}

#[cfg(all(unix, not(miri)))]
fn register() -> c_int {
    extern "C" fn child() {
        GENERATION.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: the handler only adds to an atomic; it stays mapped, as the library is linked with -z nodelete.
    unsafe { libc::pthread_atfork(None, None, Some(child)) }
}

/// Miri does not fork.
#[cfg(not(all(unix, not(miri))))]
fn register() -> c_int {
    0
}
