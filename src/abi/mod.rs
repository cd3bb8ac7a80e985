//! The C types: plain `repr(C)` data and named constants, no code. cbindgen renders them, with their comments, into
//! `include/deformconv/deformconv.h`. They are the bottom layer, so that every other one may speak of them.

#![allow(non_camel_case_types, reason = "these are the names of the C interface")]

mod context;
mod kinds;
mod plan;
mod problem;
mod status;

pub use context::*;
pub use kinds::*;
pub use plan::*;
pub use problem::*;
pub use status::*;
