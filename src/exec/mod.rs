//! Runs n tasks: inline, on the host's executor, or on the context's own pool. The only place that names rayon.
//!
//! - [`thread_count`]: how many threads a configuration and the environment ask for;
//! - [`job`]: the tasks of one phase: each in the standard floating-point state, its panics kept inside;
//! - [`host`] and [`handle`]: the host's executor, and what it is given in place of a pointer;
//! - [`pool`], [`thread`] and [`fork`]: the context's own threads, and starting anew in a child process;
//! - [`seats`]: a processor of its own for each of them;
//! - [`float`]: the floating-point state.

mod float;
pub(crate) mod fork;
mod handle;
mod host;
mod job;
mod pool;
mod seats;
mod thread;
mod thread_count;

use crate::abi::*;
use crate::error::{Error, Result, require};
use float::Standard;
use host::Host;
use job::Job;
use pool::Pool;
use seats::Seats;
use std::marker::PhantomData;

/// Who does the work of a context's calls.
pub struct Threads(Workers);

enum Workers {
    Caller,
    Host(Host),
    Pool(Pool),
}

impl Threads {
    /// # Safety
    ///
    /// The executor's callback must be callable for as long as the threads live.
    pub unsafe fn new(executor: &dcn_executor, num_threads: i32) -> Result<Self> {
        // SAFETY: the caller's promise.
        if let Some(host) = unsafe { Host::new(executor)? } {
            return Ok(Self(Workers::Host(host)));
        }
        Ok(Self(match thread_count::resolve(num_threads)? {
            1 => Workers::Caller,
            size => Workers::Pool(Pool::new(size)?),
        }))
    }

    /// How many tasks may usefully run at once; at least 1.
    pub fn concurrency(&self) -> usize {
        match &self.0 {
            Workers::Caller => 1,
            Workers::Host(host) => host.concurrency(),
            Workers::Pool(pool) => pool.size(),
        }
    }

    /// Runs `body` with a team of threads, in the standard floating-point state. `parallel` = false keeps everything on
    /// the calling thread, without a lock or a system call. The pool is entered once, so that the phases of a body
    /// start cheaply; the body is then on one of the pool's threads.
    pub fn enter<R: Send>(&self, parallel: bool, body: impl FnOnce(&Team) -> Result<R> + Send) -> Result<R> {
        match &self.0 {
            Workers::Pool(pool) if parallel => {
                pool.install(|| float::standard(|_| body(&Team::new(Members::Pool(pool)))))?
            }
            Workers::Host(host) if parallel => {
                float::standard(|caller| body(&Team::new(Members::Host { host, caller })))
            }
            _ => float::standard(|_| body(&Team::new(Members::Caller))),
        }
    }
}

/// Threads that stand ready during one call. It stays on the thread that runs the body: rayon tells by the thread which
/// pool is meant.
pub struct Team<'a> {
    members: Members<'a>,
    not_sync: PhantomData<*const ()>,
}

enum Members<'a> {
    Caller,
    Host { host: &'a Host, caller: &'a Standard },
    Pool(&'a Pool),
}

impl<'a> Team<'a> {
    fn new(members: Members<'a>) -> Self {
        Self { members, not_sync: PhantomData }
    }

    /// How many tasks run at once; at least 1.
    pub fn size(&self) -> usize {
        match self.members {
            Members::Caller => 1,
            Members::Host { host, .. } => host.concurrency(),
            Members::Pool(pool) => pool.size(),
        }
    }

    /// Whether a task may wait for something that another one is doing: a host's never wait.
    pub fn may_wait(&self) -> bool {
        matches!(self.members, Members::Pool(_))
    }

    /// Runs `task(i)` exactly once for each i in 0..n, n <= size(), and returns when all are done. A task that panics
    /// makes this DCN_ERROR_INTERNAL; the others still run.
    pub fn run(&self, n: usize, task: &(dyn Fn(usize) + Sync)) -> Result<()> {
        let size = self.size();
        require(n <= size, || Error::internal(format!("{n} tasks were started on a team of {size}")))?;
        let job = Job::new(n, task);
        match self.members {
            Members::Caller => job.run_all(),
            Members::Host { host, caller } => host.run(&job, caller)?,
            Members::Pool(_) => pool::run_on_workers(&job, &Seats::new(), 0..n),
        }
        job.finish()
    }
}
