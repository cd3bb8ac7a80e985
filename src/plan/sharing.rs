//! How the threads of a forward run share its images.

/// What a tile costs besides its positions, in positions: tiles half as large were some 4 % slower.
const TILE_COST: usize = 4;

/// Below this many operations a run stays on the calling thread. They take 0.4 ms with AVX-512 and 0.7 ms with AVX2; on
/// two threads the median of such runs was no shorter, waking a pool included.
const PARALLEL_WORK: u64 = 100_000_000;
/// Fewer operations than this for each of two threads are as little worth it.
const THREAD_WORK: u64 = PARALLEL_WORK / 2;
/// How many numbers of images are compared: all of them for as many threads; of a range of more, some as far apart.
const CHOICES: usize = 4096;

#[derive(Clone, Copy, Debug)]
pub struct Sharing {
    pub threads: usize,
    /// Of the batch.
    all_images: usize,
    /// Images whose tiles all threads share at a time. They wait for one another before the next ones.
    pub images: usize,
    /// Each thread does images of its own from beginning to end, instead.
    pub image_per_thread: bool,
}

impl Sharing {
    /// One thread.
    pub fn alone(n: i64) -> Self {
        let n = (n as usize).max(1);
        Self { threads: 1, all_images: n, images: n, image_per_thread: true }
    }

    /// `work` is that of all images; `copied`: images are copied when they are sampled. `cost` is that of the best
    /// tiles.
    pub fn new(n: i64, work: u64, copied: bool, threads: usize, cost: impl Fn(&Self) -> usize) -> Self {
        let threads = if work < PARALLEL_WORK { 1 } else { threads };
        if threads == 1 {
            return Self::alone(n);
        }
        let n = (n as usize).max(1);
        let together = |images: usize| Self { threads, all_images: n, images, image_per_thread: false };
        if !copied {
            return together(n);
        }
        let most = threads.min(n);
        let least = THREAD_WORK.saturating_mul(threads as u64).div_ceil((work / n as u64).max(1));
        if least >= most as u64 {
            return Self { image_per_thread: n >= 8 * threads, ..together(most) };
        }
        // The fewer copies there are, the nearer they are.
        let costs = || choices(least as usize, most).map(|images| (cost(&together(images)), images));
        let best = costs().map(|(cost, _)| cost).min().unwrap_or(0);
        together(costs().find(|(cost, _)| cost - best <= best / 100).map_or(most, |(_, images)| images))
    }

    /// What the busiest thread does if images have `all` positions and tiles so many, in positions.
    pub fn cost(&self, all: usize, positions: usize) -> usize {
        let n = self.all_images;
        let of = |images: usize| {
            let tiles = images.saturating_mul(all.div_ceil(positions)).div_ceil(self.threads);
            tiles.saturating_mul(positions).min(images.saturating_mul(all)).saturating_add(tiles * TILE_COST)
        };
        // Threads are done half a tile apart.
        let wait = n.div_ceil(self.images).saturating_mul(positions / 2);
        (n / self.images).saturating_mul(of(self.images)).saturating_add(of(n % self.images)).saturating_add(wait)
    }
}

/// Numbers from `least` to `most`, both of them and as many between them as are compared.
fn choices(least: usize, most: usize) -> impl Iterator<Item = usize> {
    let step = (most - least).div_ceil(CHOICES).max(1);
    (least..most).step_by(step).chain([most])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// `n` images of `side` x `side` positions, with tiles of 96, on two threads.
    fn sharing(n: i64, side: usize, work_of_image: u64, copied: bool) -> Sharing {
        Sharing::new(n, n as u64 * work_of_image, copied, 2, |sharing| sharing.cost(side * side, 96))
    }

    #[test]
    fn one_image_at_a_time_if_it_is_cut_evenly() {
        // 96 and 27 tiles.
        assert_eq!(sharing(16, 96, PARALLEL_WORK, true).images, 1);
        assert_eq!(sharing(16, 50, PARALLEL_WORK, true).images, 2);
    }

    #[test]
    fn small_images_are_not_shared() {
        let [many, few] = [64, 15].map(|n| sharing(n, 100, PARALLEL_WORK / 8, true));
        assert!(many.image_per_thread && !few.image_per_thread);
        assert_eq!(few.images, 2);
    }

    #[test]
    fn without_copies_all_images_are_shared() {
        assert_eq!(sharing(16, 100, PARALLEL_WORK, false).images, 16);
    }

    #[test]
    fn little_work_stays_on_one_thread() {
        assert_eq!(sharing(4, 100, PARALLEL_WORK / 5, true).threads, 1);
    }

    /// As [`Sharing::new`] chooses among images that are copied, looking at every number of them.
    fn searched(n: usize, side: usize, work_of_image: u64, threads: usize) -> usize {
        let sharing = |images| Sharing { threads, all_images: n, images, image_per_thread: false };
        let least = (THREAD_WORK * threads as u64).div_ceil(work_of_image) as usize;
        let costs: Vec<_> = (least..=threads.min(n)).map(|images| sharing(images).cost(side * side, 96)).collect();
        let best = costs.iter().min().expect("there is one");
        least + costs.iter().position(|cost| cost - best <= best / 100).expect("the best one")
    }

    #[test]
    fn the_fewest_images_that_cost_little_more_than_the_best() {
        let works = [THREAD_WORK + THREAD_WORK / 9, 10 * THREAD_WORK, 3000 * THREAD_WORK];
        for threads in [2, 3, 7, 64, 96, 1000, 4095, CHOICES] {
            for n in [threads, threads + 1, 3 * threads - 1, 10_000] {
                for (side, work) in [1, 9, 50, 200].into_iter().flat_map(|side| works.map(|work| (side, work))) {
                    let cost = |sharing: &Sharing| sharing.cost(side * side, 96);
                    let sharing = Sharing::new(n as i64, n as u64 * work, true, threads, cost);
                    let what = format!("{n} images of {side} x {side} and {work} operations, {threads} threads");
                    assert_eq!(sharing.images, searched(n, side, work, threads), "{what}");
                }
            }
        }
    }

    /// Of as many as these, looking at one after the other would never end.
    #[test]
    fn images_are_not_counted_one_by_one() {
        let (n, threads, looks) = (1 << 36, 3 << 34, Cell::new(0));
        let cost = |sharing: &Sharing| {
            looks.set(looks.get() + 1);
            sharing.cost(10_000, 96)
        };
        let sharing = Sharing::new(n, u64::MAX, true, threads, cost);
        // Those of the best of the numbers that are compared, and again up to the first that is good enough.
        assert!((CHOICES..=2 * (CHOICES + 1)).contains(&looks.get()), "{} looks", looks.get());
        assert!((1..=threads).contains(&sharing.images) && !sharing.image_per_thread);
        let all_at_once = Sharing { images: threads, ..sharing }.cost(10_000, 96);
        assert!(sharing.cost(10_000, 96) <= all_at_once + all_at_once / 100);
    }
}
