//! Sharing units of work between the threads of a team.

use crate::error::Result;
use crate::exec::Team;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs `body(worker, unit)` once for each unit in 0..units; at most `workers` run at once, each takes the next unit
/// when it is done with one. No two running at the same time have the same worker number.
pub fn share(team: &Team, workers: usize, units: usize, body: &(dyn Fn(usize, usize) + Sync)) -> Result<()> {
    let tasks = workers.min(team.size()).min(units);
    if tasks <= 1 {
        return team.run(tasks, &|worker| (0..units).for_each(|unit| body(worker, unit)));
    }
    let next = AtomicUsize::new(0);
    team.run(tasks, &|worker| {
        loop {
            let unit = next.fetch_add(1, Ordering::Relaxed);
            if unit >= units {
                break;
            }
            body(worker, unit);
        }
    })
}
