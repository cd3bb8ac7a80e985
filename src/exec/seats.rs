//! Each task of the pool on a processor of its own. Linux wakes a thread where it ran last or where its waker runs, and
//! on some machines (virtual ones without a shared cache among their scheduling domains) leaves two busy threads on one
//! processor for tens of milliseconds while another is idle. A task that starts where another runs moves on, once: its
//! thread wakes in the new place from then on.

use std::sync::atomic::{AtomicU64, Ordering};

const BITS: usize = u64::BITS as usize;
/// Processors beyond these are not watched.
const PROCESSORS: usize = 1024;

/// Processors on which tasks of a job run.
pub(super) struct Seats {
    taken: [AtomicU64; PROCESSORS / BITS],
}

/// A task's processor while it runs; None where that is not known.
pub(super) struct Seat<'a> {
    seats: &'a Seats,
    processor: Option<usize>,
}

impl Seats {
    pub(super) fn new() -> Self {
        Self { taken: [const { AtomicU64::new(0) }; PROCESSORS / BITS] }
    }

    /// Takes the processor that the calling thread runs on, or moves the thread if another task has it.
    pub(super) fn take(&self) -> Seat<'_> {
        let mut processor = current_processor();
        if processor.is_some_and(|processor| !self.mark(processor)) {
            leave(|processor| self.is_taken(processor));
            processor = current_processor().filter(|&processor| self.mark(processor));
        }
        Seat { seats: self, processor }
    }

    /// Whether the processor was free.
    fn mark(&self, processor: usize) -> bool {
        let bit = 1 << (processor % BITS);
        self.taken[processor / BITS].fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    fn is_taken(&self, processor: usize) -> bool {
        self.taken[processor / BITS].load(Ordering::Relaxed) & (1 << (processor % BITS)) != 0
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if let Some(processor) = self.processor {
            self.seats.taken[processor / BITS].fetch_and(!(1 << (processor % BITS)), Ordering::Relaxed);
        }
    }
}

#[cfg(target_os = "linux")]
fn current_processor() -> Option<usize> {
    // SAFETY: no arguments.
    let processor = unsafe { libc::sched_getcpu() };
    usize::try_from(processor).ok().filter(|&processor| processor < PROCESSORS)
}

/// Moves the calling thread to one of its processors that is not `taken`, if there is one, and lets it go where it may
/// again.
#[cfg(target_os = "linux")]
fn leave(taken: impl Fn(usize) -> bool) {
    let size = size_of::<libc::cpu_set_t>();
    // SAFETY: sets of bits, for which zero is a value; the calls get their sizes.
    unsafe {
        let mut allowed: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size, &mut allowed) != 0 {
            return;
        }
        let mut free = allowed;
        for processor in (0..PROCESSORS).filter(|&processor| taken(processor)) {
            libc::CPU_CLR(processor, &mut free);
        }
        if libc::CPU_COUNT(&free) > 0 && libc::sched_setaffinity(0, size, &free) == 0 {
            libc::sched_setaffinity(0, size, &allowed);
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn current_processor() -> Option<usize> {
    None
}

#[cfg(not(target_os = "linux"))]
fn leave(_taken: impl Fn(usize) -> bool) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn affinity() -> (libc::cpu_set_t, usize) {
        // SAFETY: a set of bits, for which zero is a value; the call gets its size.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            assert_eq!(libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set), 0);
            (set, libc::CPU_COUNT(&set) as usize)
        }
    }

    #[test]
    fn a_second_task_on_a_processor_moves_and_may_go_anywhere_again() {
        let (before, processors) = affinity();
        let seats = Seats::new();
        let first = seats.take();
        let second = seats.take();
        let (after, _) = affinity();
        // SAFETY: two sets.
        assert!(unsafe { libc::CPU_EQUAL(&before, &after) });
        if processors > 1 {
            assert!(first.processor.is_some() && second.processor.is_some());
            assert_ne!(first.processor, second.processor);
        }
        drop((first, second));
        assert!(seats.taken.iter().all(|taken| taken.load(Ordering::Relaxed) == 0));
    }

    #[test]
    fn where_all_are_taken_a_task_stays() {
        let seats = Seats::new();
        seats.taken.iter().for_each(|taken| taken.store(u64::MAX, Ordering::Relaxed));
        let (before, _) = affinity();
        assert!(seats.take().processor.is_none());
        let (after, _) = affinity();
        // SAFETY: two sets.
        assert!(unsafe { libc::CPU_EQUAL(&before, &after) });
    }
}
