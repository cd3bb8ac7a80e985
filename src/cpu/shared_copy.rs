//! A copy that several threads sample while they make it, part by part: whoever needs a part that nobody has begun
//! makes it, so that it is in that thread's cache; whoever needs one that another thread is making right now waits for
//! it. The other thread waits for nobody meanwhile.

use std::hint::spin_loop;
use std::ops::Range;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::yield_now;

const UNTOUCHED: u8 = 0;
const BEGUN: u8 = 1;
const MADE: u8 = 2;

/// A part takes microseconds. If it is not made after so many looks, its thread has probably lost its processor.
const LOOKS: usize = 4096;

/// The state of each part of a copy.
#[derive(Clone, Copy)]
pub struct SharedParts {
    states: *const AtomicU8,
}

impl SharedParts {
    /// States that [`SharedParts::reset`] has set, or will set before they are used.
    pub fn new(states: *mut u8) -> Self {
        Self { states: states.cast() }
    }

    /// All `parts` parts are to be made anew.
    ///
    /// # Safety
    ///
    /// There is room for so many states, and nobody else uses them during this call.
    pub unsafe fn reset(&self, parts: usize) {
        (0..parts).for_each(|part| {
            // SAFETY: the caller's promise.
            unsafe { self.states.cast_mut().add(part).write(AtomicU8::new(UNTOUCHED)) };
        });
    }

    /// Returns when all of `parts` are made, with `make` by this thread or by others. No part is made twice.
    ///
    /// # Safety
    ///
    /// The parts have states. `make` waits for nobody.
    pub unsafe fn ensure(&self, parts: Range<usize>, make: impl Fn(usize)) {
        // What others are making may be done when the rest is.
        for part in parts.clone() {
            // SAFETY: the caller's promise.
            let state = unsafe { self.state(part) };
            let begin = || state.compare_exchange(UNTOUCHED, BEGUN, Ordering::Relaxed, Ordering::Relaxed).is_ok();
            if state.load(Ordering::Relaxed) == UNTOUCHED && begin() {
                let _made = MadeAtLast(state);
                make(part);
            }
        }
        // SAFETY: the caller's promise.
        parts.for_each(|part| unsafe { wait(self.state(part)) });
    }

    unsafe fn state(&self, part: usize) -> &AtomicU8 {
        // SAFETY: the caller's promise.
        unsafe { &*self.states.add(part) }
    }
}

/// Marks a part as made, even if making it has failed, of which the pool tells: others must not wait for ever.
struct MadeAtLast<'a>(&'a AtomicU8);

impl Drop for MadeAtLast<'_> {
    fn drop(&mut self) {
        self.0.store(MADE, Ordering::Release);
    }
}

fn wait(state: &AtomicU8) {
    let mut looks = 0;
    while state.load(Ordering::Acquire) != MADE {
        looks += 1;
        if looks < LOOKS { spin_loop() } else { yield_now() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::UnsafeCell;
    use std::sync::Barrier;
    use std::thread;

    const PARTS: usize = 40;
    const THREADS: usize = 4;

    /// What was made: written by whoever makes a part, and read by all without an atomic.
    struct Copy {
        times_made: [UnsafeCell<usize>; PARTS],
        states: UnsafeCell<[u8; PARTS]>,
    }

    // SAFETY: that is what is tested, above all under Miri.
    unsafe impl Sync for Copy {}

    #[test]
    fn each_part_is_made_once_and_seen_by_all() {
        for round in 0..if cfg!(miri) { 3 } else { 200 } {
            let copy = Copy { times_made: [const { UnsafeCell::new(0) }; PARTS], states: UnsafeCell::new([7; PARTS]) };
            let parts = SharedParts::new(copy.states.get().cast());
            // SAFETY: there are so many states.
            unsafe { parts.reset(PARTS) };
            let (copy, start) = (&copy, &Barrier::new(THREADS));
            thread::scope(|scope| {
                for number in 0..THREADS {
                    scope.spawn(move || {
                        let parts = SharedParts::new(copy.states.get().cast());
                        start.wait();
                        // From a place of its own, each thread goes through all.
                        for step in 0..PARTS {
                            let first = (step + number * (round + 1)) % PARTS;
                            let some = first..PARTS.min(first + 3);
                            // SAFETY: the parts have states; nobody else writes a part that is made here.
                            unsafe {
                                parts.ensure(some.clone(), |part| *copy.times_made[part].get() += 1);
                                some.for_each(|part| assert_eq!(*copy.times_made[part].get(), 1, "part {part}"));
                            }
                        }
                    });
                }
            });
        }
    }

    #[test]
    fn nobody_waits_for_a_part_whose_making_failed() {
        let mut states = [7; 1];
        let parts = SharedParts::new(states.as_mut_ptr());
        // SAFETY: the part has a state.
        unsafe {
            parts.reset(1);
            let failed = std::panic::catch_unwind(|| parts.ensure(0..1, |_| panic!("on purpose")));
            assert!(failed.is_err());
            parts.ensure(0..1, |_| panic!("it is not made again"));
        }
    }
}
