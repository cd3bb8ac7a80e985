//! Executors a host could bring.

use deformconv::abi::dcn_executor;
use std::ffi::c_void;
use std::{ptr, thread};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// One task after the other, on the calling thread.
    Serial,
    /// The same, the last one first.
    Reversed,
    /// A thread for each task.
    Concurrent,
}

impl Host {
    pub const ALL: [Self; 3] = [Self::Serial, Self::Reversed, Self::Concurrent];

    pub fn executor(self, concurrency: u32) -> dcn_executor {
        let parallel_for = match self {
            Self::Serial => serial,
            Self::Reversed => reversed,
            Self::Concurrent => concurrent,
        };
        dcn_executor {
            ctx: ptr::without_provenance_mut(concurrency as usize),
            concurrency,
            reserved0: 0,
            parallel_for: Some(parallel_for),
            reserved: [ptr::null_mut(); 2],
        }
    }
}

type Task = Option<unsafe extern "C" fn(arg: *mut c_void, i: usize)>;

/// A refusal: more tasks than the executor said it would take, or no task function.
const BROKEN: i32 = 1;

fn accepted(ctx: *mut c_void, n: usize, task: Task) -> Option<unsafe extern "C" fn(*mut c_void, usize)> {
    task.filter(|_| n <= ctx.addr().max(1))
}

unsafe extern "C" fn serial(ctx: *mut c_void, n: usize, task: Task, arg: *mut c_void) -> i32 {
    let Some(task) = accepted(ctx, n, task) else { return BROKEN };
    // SAFETY: what an executor is for.
    (0..n).for_each(|i| unsafe { task(arg, i) });
    0
}

unsafe extern "C" fn reversed(ctx: *mut c_void, n: usize, task: Task, arg: *mut c_void) -> i32 {
    let Some(task) = accepted(ctx, n, task) else { return BROKEN };
    // SAFETY: what an executor is for.
    (0..n).rev().for_each(|i| unsafe { task(arg, i) });
    0
}

unsafe extern "C" fn concurrent(ctx: *mut c_void, n: usize, task: Task, arg: *mut c_void) -> i32 {
    let Some(task) = accepted(ctx, n, task) else { return BROKEN };
    let arg = arg.expose_provenance();
    thread::scope(|scope| {
        for i in 0..n {
            // SAFETY: what an executor is for: tasks run on any thread.
            scope.spawn(move || unsafe { task(ptr::with_exposed_provenance_mut(arg), i) });
        }
    });
    0
}
