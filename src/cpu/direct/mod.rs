//! The operator and its gradients as their formulas, one element at a time, straight from the caller's strides: for
//! images too large for the index arithmetic of the fused path.
//!
//! - [`inputs`] and [`sample`]: what both passes read, and where they read it;
//! - [`forward`] sums y up;
//! - [`backward`] the gradients, [`grad_x`] the one that samples are scattered to.

pub mod backward;
pub mod forward;
pub mod grad_x;
mod inputs;
mod sample;

use crate::problem::Tensor;

/// An output position of an image.
#[derive(Clone, Copy)]
struct Position {
    n: i64,
    p: i64,
    q: i64,
}

/// A tap of the kernel: its row and column.
#[derive(Clone, Copy)]
struct Tap {
    i: i64,
    j: i64,
}

/// The offset of an element, in elements; fits, as the extent of a checked tensor does.
fn at(tensor: &Tensor, index: [i64; 4]) -> isize {
    index.iter().zip(tensor.strides).map(|(index, stride)| index * stride).sum::<i64>() as isize
}
