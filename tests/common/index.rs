//! The elements of a tensor, one after the other.

use std::fmt::{self, Debug, Formatter};
use std::ops::Deref;

/// Where an element is, a number a dimension; without memory of its own, since tests look at millions.
#[derive(Clone, Copy)]
pub struct Index {
    numbers: [i64; 4],
    rank: usize,
}

impl Deref for Index {
    type Target = [i64];

    fn deref(&self) -> &[i64] {
        &self.numbers[..self.rank]
    }
}

impl Debug for Index {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        self[..].fmt(f)
    }
}

/// Every index of so many elements a dimension, row major.
pub fn indices(dims: &[i64]) -> impl Iterator<Item = Index> + use<> {
    let mut most = [1; 4];
    most[..dims.len()].copy_from_slice(dims);
    let rank = dims.len();
    let first = (!most.contains(&0)).then_some(Index { numbers: [0; 4], rank });
    std::iter::successors(first, move |index| {
        let mut numbers = index.numbers;
        for (number, most) in numbers.iter_mut().zip(most).take(rank).rev() {
            *number += 1;
            if *number < most {
                return Some(Index { numbers, rank });
            }
            *number = 0;
        }
        None
    })
}
