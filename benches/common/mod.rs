//! What the benchmarks have in common: cases, memory, the library as a C host calls it, turns and peaks.

#![allow(dead_code, reason = "each benchmark uses its part")]

pub mod buffer;
pub mod cases;
pub mod kinds;
pub mod library;
pub mod operands;
pub mod options;
#[path = "../peak.rs"]
pub mod peak;
pub mod problem;
pub mod rounds;
