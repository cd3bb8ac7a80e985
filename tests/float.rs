//! Tasks run in the standard floating-point state, whatever the threads came with, and leave no trace in it.

#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use deformconv::exec::Threads;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;
use teams::*;

mod teams;

/// MXCSR: control bits are those above the six sticky flags.
#[cfg(target_arch = "x86_64")]
mod register {
    use std::arch::asm;

    pub const STANDARD: u64 = 0x1f80;
    /// Rounding up, FTZ, DAZ, division by zero unmasked, and a flag raised.
    pub const ODD: u64 = (0x1f80 & !0x200) | 0x4000 | 0x8000 | 0x40 | 0x20;
    /// The standard state with flags raised.
    pub const FLAGGED: u64 = STANDARD | 0x3f;

    pub fn get() -> u64 {
        let mut value = 0_u32;
        // SAFETY: stores four bytes to `value`.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut value) };
        value.into()
    }

    pub fn set(value: u64) {
        let value = value as u32;
        // SAFETY: loads four bytes without a reserved bit.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const value) };
    }

    pub fn control(value: u64) -> u64 {
        value & !0x3f
    }
}

/// FPCR in the upper half, FPSR in the lower.
#[cfg(target_arch = "aarch64")]
mod register {
    use std::arch::asm;

    pub const STANDARD: u64 = 0;
    /// Rounding up, flushing to zero, default NaN, and a flag raised.
    pub const ODD: u64 = (1 << 22 | 1 << 24 | 1 << 25) << 32 | 0x10;
    /// The standard state with flags raised.
    pub const FLAGGED: u64 = 0x1f;

    pub fn get() -> u64 {
        let (control, flags): (u64, u64);
        // SAFETY: reads two registers.
        unsafe { asm!("mrs {}, fpcr", "mrs {}, fpsr", out(reg) control, out(reg) flags) };
        control << 32 | flags
    }

    pub fn set(value: u64) {
        // SAFETY: writes control bits and flags that every processor has.
        unsafe { asm!("msr fpcr, {}", "msr fpsr, {}", in(reg) value >> 32, in(reg) value & 0xffff_ffff) };
    }

    pub fn control(value: u64) -> u64 {
        value >> 32 << 32
    }
}

/// Runs `f` in a state and returns the state it left. Nothing is asserted while the state is odd.
fn in_state<R>(state: u64, f: impl FnOnce() -> R) -> (R, u64) {
    register::set(state);
    let result = f();
    let after = register::get();
    register::set(register::STANDARD);
    (result, after)
}

/// The control bits that tasks and bodies saw.
#[derive(Default)]
struct Seen(Mutex<Vec<u64>>);

impl Seen {
    fn note(&self) {
        self.0.lock().expect("nobody panics").push(register::control(register::get()));
    }

    fn assert_standard(&self, count: usize) {
        assert_eq!(*self.0.lock().expect("nobody panics"), vec![register::STANDARD; count]);
    }
}

fn check(threads: &Threads, parallel: bool, state: u64) {
    let n = if parallel { threads.concurrency() } else { 1 };
    let seen = Seen::default();
    let (outcome, after) = in_state(state, || {
        threads.enter(parallel, |team| {
            seen.note();
            team.run(n, &|_| {
                seen.note();
                // Raises flags: inexact, underflow, and division by zero.
                std::hint::black_box(std::hint::black_box(f32::MIN_POSITIVE) / 3.0);
                std::hint::black_box(1.0 / std::hint::black_box(0.0_f64));
            })?;
            seen.note();
            Ok(())
        })
    });
    assert_eq!(outcome, Ok(()));
    assert_eq!(after, state, "{after:#x} instead of {state:#x}");
    seen.assert_standard(n + 2);
}

#[test]
fn callers_get_their_state_back_and_tasks_have_the_standard_one() {
    let executors = [serial(), concurrent()];
    for state in [register::STANDARD, register::FLAGGED, register::ODD] {
        for threads in [own(1), own(3), executors[0].threads(4), executors[1].threads(4)] {
            check(&threads, true, state);
            check(&threads, false, state);
        }
    }
}

#[test]
fn a_pool_started_by_an_odd_thread_is_standard() {
    let (threads, _) = in_state(register::ODD, || own(3));
    check(&threads, true, register::STANDARD);
    check(&threads, true, register::ODD);
}

#[test]
fn the_hosts_threads_keep_their_state() {
    // A host whose threads are odd themselves.
    let executor = Executor::new(|n, work| {
        let run = |i| in_state(register::ODD, || work.run(i)).1 == register::ODD;
        let kept = thread::scope(|scope| {
            let threads: Vec<_> = (0..n).map(|i| scope.spawn(move || run(i))).collect();
            threads.into_iter().all(|thread| thread.join().expect("tasks do not panic"))
        });
        if kept { 0 } else { 1 }
    });
    check(&executor.threads(4), true, register::STANDARD);
}

#[test]
fn the_hosts_code_runs_in_the_hosts_state() {
    let executor = Executor::new(|n, work| {
        let state = register::get();
        (0..n).for_each(|i| work.run(i));
        if state == register::ODD && register::get() == register::ODD { 0 } else { 1 }
    });
    check(&executor.threads(4), true, register::ODD);
}

#[test]
fn panics_restore_the_state_too() {
    let executor = serial();
    for threads in [own(1), own(3), executor.threads(2)] {
        let n = threads.concurrency();
        let panic_in_task = || threads.enter(true, |team| team.run(n, &|_| panic!("in a task"))).is_err();
        assert_eq!(in_state(register::ODD, panic_in_task), (true, register::ODD));
        let panic_in_body = || threads.enter::<()>(true, |_| panic!("in the body"));
        let caught = || catch_unwind(AssertUnwindSafe(panic_in_body)).is_err();
        assert_eq!(in_state(register::ODD, caught), (true, register::ODD));
        check(&threads, true, register::ODD);
    }
}
