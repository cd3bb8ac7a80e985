//! How the threads of a backward run share the images of a batch.

use crate::problem::Problem;

/// Most of grad_weight that images of a batch have a sum of their own of.
pub const IMAGE_SUM_BYTES: usize = 5 << 18;
/// Units of channels that a batch is cut into at least, where it has the work: for as many threads.
const UNITS: u64 = 4;
const UNIT_WORK: u64 = 32_000_000;
/// Operations for each thread between two times that all wait for one another.
const THREAD_WORK: u64 = 1_000_000_000;
/// Below this many operations a run stays on the calling thread.
const PARALLEL_WORK: u64 = 10_000_000;

/// Threads that have something to do.
pub fn threads_for(problem: &Problem, threads: usize) -> usize {
    if problem.forward_flops() < PARALLEL_WORK { 1 } else { threads }
}

/// Units of channels that an image is cut into at least.
pub fn units_of(problem: &Problem) -> usize {
    (problem.forward_flops() / UNIT_WORK).clamp(1, UNITS) as usize
}

/// Images whose units all threads share at a time: the fewer copies there are, the nearer they are. But threads wait for
/// one another before the next ones, and units are to be shared evenly.
pub fn in_flight(problem: &Problem, units: usize, threads: usize) -> usize {
    let n = problem.geometry.n.max(1) as usize;
    let is_enough = |&images: &usize| {
        let units = units.saturating_mul(images);
        let work = problem.forward_flops() / n as u64 * images as u64 / threads as u64;
        work >= THREAD_WORK && units >= 2 * threads && units.is_multiple_of(threads)
    };
    let most = threads.min(n);
    (1..most).find(is_enough).unwrap_or(most)
}

/// Images whose sums are kept until they are added up: as many as there is room for, each thread having as many to do.
pub fn kept_sums(image_bytes: usize, n: usize, threads: usize) -> usize {
    let most = (IMAGE_SUM_BYTES / image_bytes).max(1) * threads;
    n.div_ceil(n.div_ceil(most)).next_multiple_of(threads)
}
