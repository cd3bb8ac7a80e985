//! Sharing units of work between the threads of a team.

use crate::error::Result;
use crate::exec::Team;
use std::array;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most bands that units are cut into. More workers than that share them.
const MOST_BANDS: usize = 64;
/// Part of what is left of a band that is taken at a time: a quarter.
const PART: usize = 4;

/// Runs `body(worker, unit)` once for each unit in 0..units; at most `workers` run at once, and no two running at the
/// same time have the same worker number. Neighbouring units are mostly with one worker, in order, as its cache has
/// what they share; who is done with its own helps the others, so that all are done at the same time.
pub fn share(team: &Team, workers: usize, units: usize, body: &(dyn Fn(usize, usize) + Sync)) -> Result<()> {
    share_in_turn(team, workers, [units, 0], body)
}

/// The same for two kinds of units, those of the second behind those of the first: who finds none of the first any more
/// goes on with the second, and waits for nobody before that.
pub fn share_in_turn(
    team: &Team,
    workers: usize,
    [first, second]: [usize; 2],
    body: &(dyn Fn(usize, usize) + Sync),
) -> Result<()> {
    let units = first + second;
    let workers = workers.min(team.size()).min(units);
    if workers <= 1 {
        // Nothing is shared, so there is nothing to agree on.
        return team.run(workers, &|worker| (0..units).for_each(|unit| body(worker, unit)));
    }
    let kinds = [Bands::new(0..first, workers), Bands::new(first..units, workers)];
    team.run(workers, &|worker| {
        for bands in &kinds {
            while let Some(some) = bands.take(worker) {
                some.for_each(|unit| body(worker, unit));
            }
        }
    })
}

/// Units, cut into a band of neighbours for each worker.
struct Bands {
    units: Range<usize>,
    count: usize,
    /// How many units of each band have been taken.
    taken: [Taken; MOST_BANDS],
}

/// On a cache line of its own: mostly one worker counts there.
#[repr(align(64))]
struct Taken(AtomicUsize);

impl Bands {
    fn new(units: Range<usize>, workers: usize) -> Self {
        Self { units, count: workers.min(MOST_BANDS), taken: array::from_fn(|_| Taken(AtomicUsize::new(0))) }
    }

    /// The next units for a worker: of its own band, or, where nothing is left of that, of another one.
    fn take(&self, worker: usize) -> Option<Range<usize>> {
        (0..self.count).find_map(|turn| self.take_of((worker + turn) % self.count))
    }

    fn take_of(&self, band: usize) -> Option<Range<usize>> {
        let all = self.start(band)..self.start(band + 1);
        let after = |taken: usize| taken + (all.len() - taken).div_ceil(PART);
        let Taken(counter) = &self.taken[band];
        let more = |taken: usize| (taken < all.len()).then(|| after(taken));
        let taken = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(all.start + taken..all.start + after(taken))
    }

    /// Where a band begins. The first ones have a unit more where the bands are not equal.
    fn start(&self, band: usize) -> usize {
        let units = self.units.len();
        self.units.start + band * (units / self.count) + band.min(units % self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_is_taken_once() {
        for (units, workers) in [(0, 2), (1, 2), (7, 3), (100, 2), (100, 7), (1000, 64), (1000, 200)] {
            let bands = Bands::new(5..5 + units, workers);
            let mut times = vec![0; units];
            // Workers take turns, some more often than others.
            let mut turns = (0..).map(|turn: usize| turn * turn % workers);
            let mut idle = 0;
            while idle < 10 * workers {
                match turns.next().and_then(|worker| bands.take(worker)) {
                    Some(some) => some.for_each(|unit| times[unit - 5] += 1),
                    None => idle += 1,
                }
            }
            assert!(times.iter().all(|&times| times == 1), "{units} units, {workers} workers: {times:?}");
        }
    }

    #[test]
    fn a_worker_goes_through_its_band_in_order_and_then_helps_others() {
        let bands = Bands::new(0..64, 4);
        let mut taken = Vec::new();
        while let Some(some) = bands.take(2) {
            taken.extend(some);
        }
        assert_eq!(taken, (32..64).chain(0..32).collect::<Vec<_>>());
    }
}
