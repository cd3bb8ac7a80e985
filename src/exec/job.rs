//! The tasks of one phase.

use super::float;
use crate::error::{Error, Result};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

/// `task(i)` for each i in 0..n. Tasks share nothing but what they write through raw pointers, which a failed call
/// leaves unspecified; so a task that panicked spoils nothing for the others.
pub(super) struct Job<'a> {
    task: &'a (dyn Fn(usize) + Sync),
    n: usize,
    first_panic: OnceLock<String>,
}

impl<'a> Job<'a> {
    pub(super) fn new(n: usize, task: &'a (dyn Fn(usize) + Sync)) -> Self {
        Self { task, n, first_panic: OnceLock::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.n
    }

    /// Runs one task on this thread, whichever thread it is: nothing of it but its result stays behind.
    pub(super) fn run(&self, i: usize) {
        let outcome = catch_unwind(AssertUnwindSafe(|| float::standard(|_| (self.task)(i))));
        if let Err(payload) = outcome {
            // Only the first one is told; a second is most likely the same defect.
            let _ = self.first_panic.set(text_of(payload));
        }
    }

    /// Runs all tasks on this thread.
    pub(super) fn run_all(&self) {
        (0..self.n).for_each(|i| self.run(i));
    }

    /// What became of the tasks that ran.
    pub(super) fn finish(self) -> Result<()> {
        match self.first_panic.into_inner() {
            None => Ok(()),
            Some(text) => Err(Error::internal(format!("a defect of deformconv, please report it: {text}"))),
        }
    }
}

/// What a panic said.
fn text_of(payload: Box<dyn Any + Send>) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or(payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned();
    // Dropping a payload may run foreign code that panics again.
    std::mem::forget(payload);
    text
}
