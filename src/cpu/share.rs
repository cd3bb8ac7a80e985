//! Sharing units of work between the threads of a team.

use crate::error::Result;
use crate::exec::Team;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs `body(worker, unit)` once for each unit in 0..units; at most `workers` run at once, and no two running at the same
/// time have the same worker number. Each takes some units in a row, fewer and fewer, so that neighbours are mostly with
/// one worker, whose cache has what they share, and all are done at the same time.
pub fn share(team: &Team, workers: usize, units: usize, body: &(dyn Fn(usize, usize) + Sync)) -> Result<()> {
    share_in_turn(team, workers, [units, 0], body)
}

/// The same for two kinds of units, those of the second behind those of the first: who finds none of the first any more goes on
/// with the second, and waits for nobody before that.
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
    let next = AtomicUsize::new(0);
    team.run(workers, &|worker| {
        for end in [first, units] {
            while let Some(some) = take(&next, end, workers) {
                some.for_each(|unit| body(worker, unit));
            }
        }
    })
}

/// Half of an even share of the units that are left before `end`.
fn take(next: &AtomicUsize, end: usize, workers: usize) -> Option<Range<usize>> {
    let after = |first: usize| first + (end - first).div_ceil(2 * workers);
    let taken = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |first| (first < end).then(|| after(first)));
    taken.ok().map(|first| first..after(first))
}
