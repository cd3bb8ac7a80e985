//! Sharing units of work between the threads of a team.

use crate::error::Result;
use crate::exec::Team;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Units of work of one kind.
#[derive(Clone, Copy)]
pub struct Units<'a> {
    pub count: usize,
    /// Given the number of a worker and of a unit.
    pub body: &'a (dyn Fn(usize, usize) + Sync),
}

/// Runs `body(worker, unit)` once for each unit in 0..units; at most `workers` run at once, and no two running at the same
/// time have the same worker number. Each takes some units in a row, fewer and fewer, so that neighbours are mostly with
/// one worker, whose cache has what they share, and all are done at the same time.
pub fn share(team: &Team, workers: usize, units: usize, body: &(dyn Fn(usize, usize) + Sync)) -> Result<()> {
    share_all(team, workers, [Units { count: units, body }])
}

/// The same for kinds of units that need nothing of one another: who finds no more of one kind goes on to the next.
pub fn share_all<const KINDS: usize>(team: &Team, workers: usize, kinds: [Units; KINDS]) -> Result<()> {
    let all = kinds.iter().map(|kind| kind.count).fold(0, usize::saturating_add);
    let workers = workers.min(team.size()).min(all);
    if workers <= 1 {
        // Nothing is shared, so there is nothing to agree on.
        return team.run(workers, &|worker| {
            kinds.iter().for_each(|kind| (0..kind.count).for_each(|unit| (kind.body)(worker, unit)));
        });
    }
    let next = [const { AtomicUsize::new(0) }; KINDS];
    team.run(workers, &|worker| {
        for (next, kind) in next.iter().zip(&kinds) {
            while let Some(some) = take(next, kind.count, workers) {
                some.for_each(|unit| (kind.body)(worker, unit));
            }
        }
    })
}

/// Half of an even share of the units that are left.
fn take(next: &AtomicUsize, units: usize, workers: usize) -> Option<Range<usize>> {
    let after = |first: usize| first + (units - first).div_ceil(2 * workers);
    let taken = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |first| (first < units).then(|| after(first)));
    taken.ok().map(|first| first..after(first))
}
