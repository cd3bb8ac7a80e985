//! The host's executor.

use super::float::Standard;
use super::handle::{self, Opening};
use super::job::Job;
use crate::abi::*;
use crate::error::{Error, Result, require};
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What a `dcn_executor` calls for each index.
type Task = unsafe extern "C" fn(arg: *mut c_void, i: usize);

type ParallelFor = unsafe extern "C" fn(ctx: *mut c_void, n: usize, task: Option<Task>, arg: *mut c_void) -> i32;

pub(super) struct Host {
    ctx: *mut c_void,
    parallel_for: ParallelFor,
    concurrency: usize,
}

// SAFETY: the host promises that its executor may be called from any thread.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

impl Host {
    /// None if the host has no executor.
    ///
    /// # Safety
    ///
    /// The executor's callback must be callable for as long as the result lives.
    pub(super) unsafe fn new(executor: &dcn_executor) -> Result<Option<Self>> {
        let dcn_executor { ctx, concurrency, reserved0, parallel_for, reserved } = *executor;
        require(reserved0 == 0, || Error::argument(format!("config->executor.reserved0 is {reserved0}, expected 0")))?;
        require(reserved.iter().all(|p| p.is_null()), || {
            Error::argument("config->executor.reserved is not NULL, expected NULL")
        })?;
        require(parallel_for.is_some() || concurrency == 0, || {
            Error::argument(format!(
                "config->executor.parallel_for is NULL and concurrency is {concurrency}, expected both or neither"
            ))
        })?;
        let concurrency = (concurrency as usize).max(1);
        Ok(parallel_for.map(|parallel_for| Self { ctx, parallel_for, concurrency }))
    }

    pub(super) fn concurrency(&self) -> usize {
        self.concurrency
    }

    /// Has the host run the job. `caller` is the calling thread's floating-point state, which the host's code gets back
    /// while it runs.
    pub(super) fn run(&self, job: &Job, caller: &Standard) -> Result<()> {
        if job.len() == 0 {
            return Ok(());
        }
        let call = Call::new(job);
        let Some(opening) = Opening::new(&call) else {
            // More calls at once than there are handles: the calling thread is one of the host's, too.
            job.run_all();
            return Ok(());
        };
        let arg = opening.handle();
        // SAFETY: the host promised that its executor is callable; the task may be called whenever and with whatever.
        let code = caller.suspended(|| unsafe { (self.parallel_for)(self.ctx, job.len(), Some(task), arg) });
        drop(opening);
        require(code == 0, || executor(format!("config->executor.parallel_for returned {code}, expected 0")))?;
        call.check()
    }
}

fn executor(message: String) -> Error {
    Error::new(DCN_ERROR_EXECUTOR, message)
}

unsafe extern "C" fn task(arg: *mut c_void, i: usize) {
    // Nothing here can panic: the job catches what its tasks do.
    handle::visit(arg, |call| call.attend(i));
}

/// One `parallel_for` under way.
///
/// An executor may repeat an index, skip one or make one up. So the index it gives says nothing about which task is
/// run: that is the next ticket, which no two calls share.
pub(super) struct Call<'a> {
    job: &'a Job<'a>,
    tickets: AtomicUsize,
    /// Sum of [`scramble`] of the indices given.
    given: AtomicU64,
}

impl<'a> Call<'a> {
    fn new(job: &'a Job<'a>) -> Self {
        Self { job, tickets: AtomicUsize::new(0), given: AtomicU64::new(0) }
    }

    fn attend(&self, i: usize) {
        self.given.fetch_add(scramble(i), Ordering::Relaxed);
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        if ticket < self.job.len() {
            self.job.run(ticket);
        }
    }

    /// Whether each index was given exactly once; to be called when nobody attends any more.
    fn check(self) -> Result<()> {
        let n = self.job.len();
        let ran = self.tickets.into_inner();
        require(ran == n, || {
            executor(format!("config->executor.parallel_for returned 0 after {ran} calls of the task, expected {n}"))
        })?;
        let expected = (0..n).map(scramble).fold(0, u64::wrapping_add);
        require(self.given.into_inner() == expected, || {
            executor(format!("config->executor.parallel_for did not run each index of 0..{n} exactly once"))
        })
    }
}

/// Spreads an index over 64 bits, one to one, so that different collections of n indices have different sums but for
/// a chance of 2^-64. (The finaliser of SplitMix64.)
fn scramble(i: usize) -> u64 {
    let z = (i as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
