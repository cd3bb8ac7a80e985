//! Threads of the pool, made by pthread itself: a thread of the standard library's ends the process if there is no
//! memory left for what it sets up once it runs, where a status was promised.

use libc::{pthread_attr_t, pthread_t};
use rayon::ThreadBuilder;
use std::ffi::{CString, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

/// Stack of a thread. Buffers live in the workspace; what remains fits many times, for as many calls as the pool lets
/// in.
const STACK_SIZE: usize = 2 << 20;

/// A thread that has to be joined.
pub(super) struct Thread(pthread_t);

// SAFETY: a pthread_t may be joined from any thread.
unsafe impl Send for Thread {}

impl Thread {
    pub(super) fn start(worker: ThreadBuilder) -> io::Result<Self> {
        // The kernel shows 15 characters of a name.
        let name = CString::new(format!("deformconv-{}", worker.index())).unwrap_or_default();
        let worker = Box::into_raw(Box::new(worker));
        let created = with_attributes(|attributes| {
            let mut thread = MaybeUninit::uninit();
            // SAFETY: `main` takes the worker over if the thread starts.
            match unsafe { libc::pthread_create(thread.as_mut_ptr(), attributes, main, worker.cast()) } {
                // SAFETY: set by the call that succeeded.
                0 => Ok(unsafe { thread.assume_init() }),
                error => Err(io::Error::from_raw_os_error(error)),
            }
        });
        match created {
            Ok(thread) => {
                #[cfg(target_os = "linux")]
                // SAFETY: the thread is not joined yet; the name is a C string.
                unsafe {
                    libc::pthread_setname_np(thread, name.as_ptr())
                };
                Ok(Self(thread))
            }
            Err(error) => {
                // SAFETY: no thread has taken the worker over.
                drop(unsafe { Box::from_raw(worker) });
                Err(error)
            }
        }
    }

    /// Waits until the thread, told to end, has ended.
    pub(super) fn join(self) {
        // SAFETY: joined once, as this takes the handle.
        unsafe { libc::pthread_join(self.0, ptr::null_mut()) };
    }
}

fn with_attributes<R>(body: impl FnOnce(*const pthread_attr_t) -> io::Result<R>) -> io::Result<R> {
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: initialised before it is used, and destroyed after.
    unsafe {
        match libc::pthread_attr_init(attributes.as_mut_ptr()) {
            0 => {}
            error => return Err(io::Error::from_raw_os_error(error)),
        }
        let outcome = match libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK_SIZE) {
            0 => body(attributes.as_ptr()),
            error => Err(io::Error::from_raw_os_error(error)),
        };
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        outcome
    }
}

extern "C" fn main(worker: *mut c_void) -> *mut c_void {
    // SAFETY: `start` has given the worker up to this thread.
    let worker = unsafe { Box::from_raw(worker.cast::<ThreadBuilder>()) };
    // Tasks catch their panics, so that there is no outcome to look at.
    let _ = catch_unwind(AssertUnwindSafe(|| worker.run()));
    ptr::null_mut()
}
