//! The context's own threads.

use super::fork;
use super::job::Job;
use super::seats::Seats;
use super::thread::Thread;
use crate::error::{Error, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::mem::{self, ManuallyDrop};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How many calls may be inside a pool at once; others wait. A thread that waits for its tasks may take up another call
/// on top of its stack, so this bounds the stack. So many calls keep the threads busy without more.
const MOST_CALLS: usize = 16;

/// Threads that are replaced after a fork.
pub(super) struct Pool {
    size: usize,
    state: Mutex<State>,
    left: Condvar,
}

struct State {
    crew: Crew,
    /// How many calls are inside.
    calls: usize,
}

impl Pool {
    pub(super) fn new(size: usize) -> Result<Self> {
        fork::watch()?;
        Ok(Self { size, state: Mutex::new(State { crew: Crew::start(size)?, calls: 0 }), left: Condvar::new() })
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Runs `f` on one of the threads; the calling one sleeps. A panic of `f` is passed on.
    pub(super) fn install<R: Send>(&self, f: impl FnOnce() -> R + Send) -> Result<R> {
        let call = self.admit()?;
        Ok(call.threads.install(f))
    }

    fn admit(&self) -> Result<Call<'_>> {
        let mut state = self.lock();
        if !state.crew.is_alive() {
            // A child process: nobody is inside, and the crew's drop leaks what the fork left of it.
            *state = State { crew: Crew::start(self.size)?, calls: 0 };
        }
        while state.calls >= MOST_CALLS {
            state = self.left.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.calls += 1;
        Ok(Call { threads: Arc::clone(&state.crew.threads), pool: self })
    }

    /// Nothing panics while the lock is held; if something did, the state would still be whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that is inside the pool.
struct Call<'a> {
    threads: Arc<ThreadPool>,
    pool: &'a Pool,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.pool.lock().calls -= 1;
        self.pool.left.notify_one();
    }
}

/// Runs the tasks of `range` on the pool that the calling thread belongs to, by halves: nothing is allocated for it.
pub(super) fn run_on_workers(job: &Job, seats: &Seats, range: Range<usize>) {
    match range.len() {
        0 => {}
        1 => {
            let _seat = seats.take();
            job.run(range.start);
        }
        n => {
            let middle = range.start + n / 2;
            let (first, second) = (range.start..middle, middle..range.end);
            rayon::join(|| run_on_workers(job, seats, first), || run_on_workers(job, seats, second));
        }
    }
}

/// Threads started by one process.
struct Crew {
    generation: u64,
    threads: ManuallyDrop<Arc<ThreadPool>>,
    handles: Vec<Thread>,
}

impl Crew {
    fn start(size: usize) -> Result<Self> {
        let mut handles = Vec::with_capacity(size);
        let builder = ThreadPoolBuilder::new().num_threads(size);
        let start = |worker| Thread::start(worker).map(|handle| handles.push(handle));
        match builder.spawn_handler(start).build() {
            Ok(threads) => {
                Ok(Self { generation: fork::generation(), threads: ManuallyDrop::new(Arc::new(threads)), handles })
            }
            Err(error) => {
                let started = handles.len();
                join(handles);
                Err(Error::out_of_memory(format!("starting thread {} of {size} failed: {error}", started + 1)))
            }
        }
    }

    /// Whether this process is the one that started the threads.
    fn is_alive(&self) -> bool {
        self.generation == fork::generation()
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        let handles = mem::take(&mut self.handles);
        if self.is_alive() {
            // SAFETY: dropped here and never used again. No call is inside, so that this is the last reference and ends
            // the threads.
            unsafe { ManuallyDrop::drop(&mut self.threads) };
            join(handles);
        } else {
            // The threads do not exist here: waiting for them, or even detaching them, would touch what is no more.
            mem::forget(handles);
        }
    }
}

/// Waits until the threads, told to end, have ended.
fn join(threads: Vec<Thread>) {
    threads.into_iter().for_each(Thread::join);
}
