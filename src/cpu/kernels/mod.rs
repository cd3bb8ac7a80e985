//! The kernels: their arguments, their bodies written once over [`Simd`](super::simd::Simd), and the table that
//! dispatch, tests and benches share.
//!
//! A body is an `#[inline(always)]` function; the folder of an instruction set instantiates it inside a
//! `#[target_feature]` function (see [`instantiate`]). The scalar kernels are written apart, to be read and to be
//! compared with.

mod args;
mod coordinates;
mod copy;
mod corner_addresses;
mod corner_gradients;
mod depthwise;
mod depthwise_gradients;
mod instantiate;
mod multiply;
mod offset_gradients;
mod sample;
mod store;
mod table;

pub use args::*;
pub(super) use coordinates::coordinates;
pub(super) use copy::{copy, transpose};
pub(super) use corner_gradients::corner_gradients;
pub(super) use depthwise::depthwise;
pub(super) use depthwise_gradients::depthwise_gradients;
pub(super) use instantiate::{functions, kernels, row};
pub(super) use multiply::multiply;
pub(super) use offset_gradients::offset_gradients;
pub(super) use sample::sample;
pub(super) use store::{store_pixels, store_planes};
pub use table::*;
