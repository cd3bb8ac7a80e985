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

/// Images whose units all threads share at a time: the fewer copies there are, the nearer they are. But threads wait
/// for one another before the next ones, and units are to be shared evenly.
pub fn in_flight(problem: &Problem, units: usize, threads: usize) -> usize {
    let n = problem.geometry.n.max(1) as usize;
    fewest_images(n, problem.forward_flops() / n as u64, units, threads)
}

/// The fewest images that give each of the threads [`THREAD_WORK`], two units and as many units as the others; else as
/// many as there are, or threads. `work` and `units` are those of an image.
fn fewest_images(n: usize, work: u64, units: usize, threads: usize) -> usize {
    let most = threads.min(n);
    let with_work = THREAD_WORK.saturating_mul(threads as u64).div_ceil(work.max(1)) as usize;
    let with_units = (2 * threads).div_ceil(units);
    let evenly_shared = threads / common_divisor(threads, units);
    with_work.max(with_units).min(most).next_multiple_of(evenly_shared).min(most)
}

/// The greatest one.
fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// Images whose sums are kept until they are added up: as many as there is room for, each thread having as many to do.
pub fn kept_sums(image_bytes: usize, n: usize, threads: usize) -> usize {
    let most = (IMAGE_SUM_BYTES / image_bytes).max(1) * threads;
    n.div_ceil(n.div_ceil(most)).next_multiple_of(threads)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As [`fewest_images`] is described, image by image.
    fn searched(n: usize, work: u64, units: usize, threads: usize) -> usize {
        let is_enough = |&images: &usize| {
            let (work, units) = (work * images as u64 / threads as u64, units * images);
            work >= THREAD_WORK && units >= 2 * threads && units.is_multiple_of(threads)
        };
        let most = threads.min(n);
        (1..most).find(is_enough).unwrap_or(most)
    }

    #[test]
    fn the_fewest_images_that_are_enough() {
        let works = [0, 1, THREAD_WORK / 7, THREAD_WORK - 1, THREAD_WORK, 9 * THREAD_WORK, 5000 * THREAD_WORK];
        for threads in (1..=24).chain([64, 96, 255, 256, 257, 4095, 4096]) {
            for units in (1..=13).chain([24, 64, 1000, 8192]) {
                for n in [1, 2, 7, 16, 63, 1000, 5000] {
                    for work in works {
                        let expected = searched(n, work, units, threads);
                        let what = format!("{n} images of {work} operations and {units} units, {threads} threads");
                        assert_eq!(fewest_images(n, work, units, threads), expected, "{what}");
                    }
                }
            }
        }
    }

    /// Of as many as these, looking at one after the other would never end.
    #[test]
    fn images_are_not_counted_one_by_one() {
        let (n, threads) = (1 << 56, 3 << 53);
        assert_eq!(fewest_images(n, 2, 3, threads), threads);
        assert_eq!(fewest_images(n, u64::MAX, 3, threads), threads / 3 * 2);
    }
}
