//! Sums of sums, for sums that are not worth a vector: no chain of additions is longer than CHAIN, whatever the number
//! of terms.

use super::element::Compute;

/// Short enough for the error bound to hold whatever the terms are: CHAIN roundings of half a spacing each, for each of
/// the levels that so many terms fill.
const CHAIN: usize = 32;
/// Enough for any number of terms that a 64-bit address space holds.
const LEVELS: usize = 13;

pub struct Sum<C> {
    levels: [C; LEVELS],
    counts: [usize; LEVELS],
}

impl<C: Compute> Sum<C> {
    pub const fn new() -> Self {
        Self { levels: [C::ZERO; LEVELS], counts: [0; LEVELS] }
    }

    pub fn add(&mut self, mut value: C) {
        for (level, count) in self.levels.iter_mut().zip(&mut self.counts) {
            *level += value;
            *count += 1;
            if *count < CHAIN {
                return;
            }
            value = *level;
            (*level, *count) = (C::ZERO, 0);
        }
    }

    pub fn total(&self) -> C {
        self.levels.iter().fold(C::ZERO, |total, &level| total + level)
    }
}
