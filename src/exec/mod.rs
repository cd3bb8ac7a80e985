//! Runs n tasks: inline, on the host's executor, or on the context's own pool.

use crate::abi::*;
use crate::error::{Error, Result, require};

/// Who does the work of a context's calls.
pub struct Threads(());

impl Threads {
    /// # Safety
    ///
    /// The executor's callback must be callable for as long as the threads live.
    pub unsafe fn new(executor: &dcn_executor, _num_threads: i32) -> Result<Self> {
        require(executor.reserved.iter().all(|p| p.is_null()) && executor.reserved0 == 0, || {
            Error::argument("config->executor.reserved is not 0, expected 0")
        })?;
        Ok(Self(()))
    }

    /// How many tasks may usefully run at once; at least 1.
    pub fn concurrency(&self) -> usize {
        1
    }

    /// Runs `body` with a team of threads. `parallel` = false keeps everything on the calling thread, without touching
    /// the pool. The pool is entered once, so that the phases of a body start cheaply.
    pub fn enter<R: Send>(&self, _parallel: bool, body: impl FnOnce(&Team) -> Result<R> + Send) -> Result<R> {
        body(&Team(()))
    }
}

/// Threads that stand ready during one call.
pub struct Team(());

impl Team {
    /// How many tasks run at once; at least 1.
    pub fn size(&self) -> usize {
        1
    }

    /// Runs `task(i)` exactly once for each i in 0..n, n <= size(), and returns when all are done.
    pub fn run(&self, n: usize, task: &(dyn Fn(usize) + Sync)) -> Result<()> {
        (0..n).for_each(task);
        Ok(())
    }
}
