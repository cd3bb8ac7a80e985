//! Threads to test with: a context's own, and those of hosts that behave in many ways.

#![allow(dead_code, reason = "each test binary uses a part")]

use deformconv::abi::*;
use deformconv::error::Result;
use deformconv::exec::{Team, Threads};
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

pub type Task = unsafe extern "C" fn(arg: *mut c_void, i: usize);

/// Runs a task with a number; may be called from any thread and, by a host that breaks its promise, at any time.
#[derive(Clone, Copy)]
pub struct Work {
    task: Task,
    arg: *mut c_void,
}

// SAFETY: that is what the library promises of what it gives to an executor.
unsafe impl Send for Work {}
// SAFETY: as above.
unsafe impl Sync for Work {}

impl Work {
    pub fn run(&self, i: usize) {
        // SAFETY: the library's task takes any index at any time.
        unsafe { (self.task)(self.arg, i) }
    }
}

/// What a host does with n tasks; the result is `parallel_for`'s.
type Behaviour = dyn Fn(usize, Work) -> i32 + Sync;

/// An executor of the C interface that behaves as told, and how often it was called.
pub struct Executor {
    behaviour: Box<Behaviour>,
    pub calls: AtomicUsize,
}

impl Executor {
    pub fn new(behaviour: impl Fn(usize, Work) -> i32 + Sync + 'static) -> Box<Self> {
        Box::new(Self { behaviour: Box::new(behaviour), calls: AtomicUsize::new(0) })
    }

    /// Threads of a context with this executor.
    pub fn threads(&self, concurrency: u32) -> Threads {
        unsafe extern "C" fn parallel_for(ctx: *mut c_void, n: usize, task: Option<Task>, arg: *mut c_void) -> i32 {
            // SAFETY: the executor outlives the threads in every test.
            let executor = unsafe { &*ctx.cast::<Executor>() };
            executor.calls.fetch_add(1, SeqCst);
            (executor.behaviour)(n, Work { task: task.expect("a task"), arg })
        }
        let ctx = ptr::from_ref(self).cast_mut().cast();
        let c = dcn_executor { ctx, concurrency, parallel_for: Some(parallel_for), ..NO_EXECUTOR };
        // SAFETY: the callback is callable.
        unsafe { Threads::new(&c, 0) }.expect("the executor is accepted")
    }
}

pub const NO_EXECUTOR: dcn_executor = dcn_executor {
    ctx: ptr::null_mut(),
    concurrency: 0,
    reserved0: 0,
    parallel_for: None,
    reserved: [ptr::null_mut(); 2],
};

pub fn own(num_threads: i32) -> Threads {
    // SAFETY: there is no callback.
    unsafe { Threads::new(&NO_EXECUTOR, num_threads) }.expect("threads can be started")
}

pub fn serial() -> Box<Executor> {
    Executor::new(|n, work| {
        (0..n).for_each(|i| work.run(i));
        0
    })
}

pub fn reversed() -> Box<Executor> {
    Executor::new(|n, work| {
        (0..n).rev().for_each(|i| work.run(i));
        0
    })
}

pub fn concurrent() -> Box<Executor> {
    Executor::new(|n, work| {
        thread::scope(|scope| (0..n).for_each(|i| drop(scope.spawn(move || work.run(i)))));
        0
    })
}

/// Fails instead of hanging.
pub fn within<R: Send + 'static>(limit: Duration, f: impl FnOnce() -> R + Send + 'static) -> R {
    let (send, receive) = mpsc::channel();
    let thread = thread::spawn(move || send.send(catch_unwind(AssertUnwindSafe(f))));
    let outcome = receive.recv_timeout(limit).expect("it finishes in time");
    thread.join().expect("panics are caught").expect("the receiver waits");
    outcome.unwrap_or_else(|payload| resume_unwind(payload))
}

/// Long enough for a loaded machine, and for Miri, which is slow.
pub const SOON: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 30 });

/// How often each of n indices ran, out of range ones being counted at the end.
pub fn run_counting(team: &Team, n: usize) -> (Result<()>, Vec<usize>) {
    let ran: Vec<AtomicUsize> = (0..n + 1).map(|_| AtomicUsize::new(0)).collect();
    let outcome = team.run(n, &|i| _ = ran[i.min(n)].fetch_add(1, SeqCst));
    (outcome, ran.into_iter().map(AtomicUsize::into_inner).collect())
}

pub fn once_each(n: usize) -> Vec<usize> {
    [vec![1; n], vec![0]].concat()
}
