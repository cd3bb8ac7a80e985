//! The floating-point state of a thread: rounding, treatment of subnormals, traps, sticky exception flags.
//!
//! Results must not depend on what a host did to its threads, and a host must not notice what ran on them.

use std::marker::PhantomData;

/// Runs `f` with rounding to nearest, subnormals as they are and exceptions masked; the thread has its own state back
/// afterwards, after a panic too. The register is written only where it differs.
pub(super) fn standard<R>(f: impl FnOnce(&Standard) -> R) -> R {
    let state = Standard::establish();
    apart(|| f(&state))
}

/// A call that is not inlined, so that no arithmetic of `f` moves across the change of state.
#[inline(never)]
fn apart<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// The standard state holds on this thread while this lives.
pub(super) struct Standard {
    saved: register::State,
    not_send: PhantomData<*const ()>,
}

impl Standard {
    fn establish() -> Self {
        let saved = register::read();
        if !saved.is_standard() {
            register::write(register::STANDARD);
        }
        Self { saved, not_send: PhantomData }
    }

    /// Runs `f`, which is the host's code, in the state the thread came with.
    pub(super) fn suspended<R>(&self, f: impl FnOnce() -> R) -> R {
        restore(self.saved);
        let result = apart(f);
        if !register::read().is_standard() {
            register::write(register::STANDARD);
        }
        result
    }
}

impl Drop for Standard {
    fn drop(&mut self) {
        restore(self.saved);
    }
}

fn restore(saved: register::State) {
    if register::read() != saved {
        register::write(saved);
    }
}

/// MXCSR.
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod register {
    use std::arch::asm;

    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(super) struct State(u32);

    /// All exceptions masked, rounding to nearest, FTZ and DAZ off, no flag raised: the value of the psABI.
    pub(super) const STANDARD: State = State(0x1f80);

    /// The sticky exception flags, which do not influence results.
    const FLAGS: u32 = 0x3f;

    impl State {
        pub(super) fn is_standard(self) -> bool {
            self.0 & !FLAGS == STANDARD.0
        }
    }

    pub(super) fn read() -> State {
        let mut value = 0_u32;
        // SAFETY: stores four bytes to `value`.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut value, options(nostack, preserves_flags)) };
        State(value)
    }

    pub(super) fn write(state: State) {
        // SAFETY: loads four bytes that came from `read` or are STANDARD, so no reserved bit is set.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const state.0, options(nostack)) };
    }
}

/// FPCR and FPSR.
#[cfg(all(target_arch = "aarch64", not(miri)))]
mod register {
    use std::arch::asm;

    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(super) struct State {
        control: u64,
        flags: u64,
    }

    /// All exceptions masked, rounding to nearest, no flushing, no default NaN, no flag raised.
    pub(super) const STANDARD: State = State { control: 0, flags: 0 };

    impl State {
        pub(super) fn is_standard(self) -> bool {
            self.control == STANDARD.control
        }
    }

    pub(super) fn read() -> State {
        let (control, flags): (u64, u64);
        // SAFETY: reads two registers.
        unsafe {
            asm!("mrs {}, fpcr", "mrs {}, fpsr", out(reg) control, out(reg) flags, options(nostack, preserves_flags));
        }
        State { control, flags }
    }

    pub(super) fn write(state: State) {
        // SAFETY: writes what came from `read` or is STANDARD.
        unsafe { asm!("msr fpcr, {}", "msr fpsr, {}", in(reg) state.control, in(reg) state.flags, options(nostack)) };
    }
}

/// Miri has no inline assembly, and of other architectures nothing is known: the state is taken to be the standard one.
#[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod register {
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(super) struct State;

    pub(super) const STANDARD: State = State;

    impl State {
        pub(super) fn is_standard(self) -> bool {
            true
        }
    }

    pub(super) fn read() -> State {
        State
    }

    pub(super) fn write(_state: State) {}
}
