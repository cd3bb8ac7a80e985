//! Handles to something on a caller's stack, for threads that may come too late.
//!
//! An executor that breaks its promise may run a task after the call it belongs to has returned. So the argument it
//! passes on is no pointer: it names a slot of a static table and the round in which the slot was taken. A visitor with
//! the handle of another round is turned away, and an owner that leaves waits for visitors that are still inside.

use super::host::Call;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::thread;

/// How many calls may be open at once in this process; a power of two.
const SLOTS: usize = 256;

static TABLE: [Slot; SLOTS] = [const { Slot::new() }; SLOTS];

/// A cache line of its own, so that calls of different threads do not slow one another.
#[repr(align(64))]
struct Slot {
    /// From bit 0: visitors inside (24 bits), [`OPEN`], [`TAKEN`], the round (38 bits).
    state: AtomicU64,
    call: AtomicPtr<Call<'static>>,
}

/// Mask of the number of visitors.
const VISITORS: u64 = OPEN - 1;
/// Visitors may come in.
const OPEN: u64 = 1 << 24;
/// The slot has an owner.
const TAKEN: u64 = 1 << 25;
/// One in the round's unit.
const ROUND: u64 = 1 << 26;

impl Slot {
    const fn new() -> Self {
        Self { state: AtomicU64::new(0), call: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Takes the slot for a new round, unless it has an owner.
    fn take(&self) -> Option<u64> {
        let state = self.state.load(Ordering::Relaxed);
        let next = state.wrapping_add(ROUND) | TAKEN;
        let free = state & TAKEN == 0;
        (free && self.state.compare_exchange(state, next, Ordering::Acquire, Ordering::Relaxed).is_ok())
            .then_some(next / ROUND)
    }

    /// Counts a visitor in, if the slot is open in this round.
    fn enter(&self, round: u64) -> bool {
        let admit = |state: u64| (state & OPEN != 0 && state / ROUND == round).then(|| state + 1);
        self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, admit).is_ok()
    }
}

/// A slot that admits visitors to a call for as long as this lives.
pub(super) struct Opening {
    index: usize,
    round: u64,
}

impl Opening {
    /// None if all slots are taken.
    pub(super) fn new(call: &Call<'_>) -> Option<Self> {
        let taken = |index: usize| TABLE[index].take().map(|round| Self { index, round });
        let opening = (0..SLOTS).find_map(taken)?;
        let slot = &TABLE[opening.index];
        slot.call.store(ptr::from_ref(call).cast_mut().cast(), Ordering::Relaxed);
        // Visitors see the pointer once they see the slot open.
        slot.state.fetch_or(OPEN, Ordering::Release);
        Some(opening)
    }

    /// Never NULL, as rounds count from 1.
    pub(super) fn handle(&self) -> *mut c_void {
        ptr::without_provenance_mut(self.round as usize * SLOTS + self.index)
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let slot = &TABLE[self.index];
        slot.state.fetch_and(!OPEN, Ordering::Relaxed);
        // An executor that keeps its promise has nobody inside any more.
        while slot.state.load(Ordering::Acquire) & VISITORS != 0 {
            thread::yield_now();
        }
        slot.state.fetch_and(!TAKEN, Ordering::Release);
    }
}

/// Calls `f` with what the handle stands for, unless that is closed.
pub(super) fn visit(handle: *mut c_void, f: impl FnOnce(&Call<'_>)) {
    let slot = &TABLE[handle.addr() % SLOTS];
    if !slot.enter((handle.addr() / SLOTS) as u64) {
        return;
    }
    // SAFETY: the slot is open and stays so until its visitors, this one among them, have left; until then the owner
    // keeps the call alive.
    f(unsafe { &*slot.call.load(Ordering::Relaxed) });
    slot.state.fetch_sub(1, Ordering::Release);
}
