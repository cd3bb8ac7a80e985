//! How much is done of what tests do many times over: all of it, or DCN_TEST_PERCENT of it, for runs under an emulator.
//! What has a name is done once at least. With DCN_TEST_ISA, on one instruction set alone.

#![allow(dead_code, reason = "each test program uses a part")]

use deformconv::context::Isa;
use std::env;

fn percent() -> u32 {
    let Ok(percent) = env::var("DCN_TEST_PERCENT") else {
        return 100;
    };
    percent.parse().ok().filter(|percent| (1..=100).contains(percent)).expect("DCN_TEST_PERCENT is 1 to 100")
}

/// Whether less than all is done: then a test that takes minutes under an emulator says so, and ends.
pub fn is_reduced() -> bool {
    percent() < 100
}

/// Whether cargo runs the tests by an emulator.
pub fn is_emulated() -> bool {
    let is_runner = |name: &str| name.starts_with("CARGO_TARGET_") && name.ends_with("_RUNNER");
    env::vars_os().any(|(name, _)| name.to_str().is_some_and(is_runner))
}

/// The number of random cases of a test that has `full` of them.
pub fn cases(full: u32) -> u32 {
    (full * percent() / 100).max(1)
}

/// A sweep takes every step-th of its members. Odd: a sweep over bits comes by each of them, set and not.
pub fn step() -> usize {
    ((100 / percent()) | 1) as usize
}

/// The ways in which number `i` of `n` problems is run: all, or those it gets when they are dealt out among the
/// problems.
pub fn dealt<T>(ways: Vec<T>, i: usize, n: usize) -> Vec<T> {
    let hands = if is_reduced() { n.min(ways.len()) } else { 1 };
    ways.into_iter().skip(i % hands).step_by(hands).collect()
}

/// Whether kernels of an instruction set are to be tested. The one that DCN_TEST_ISA names has to be there.
pub fn wants(isa: Isa) -> bool {
    let Ok(name) = env::var("DCN_TEST_ISA") else {
        return true;
    };
    let only = Isa::ALL.into_iter().find(|isa| isa.name().to_bytes() == name.as_bytes());
    let only = only.filter(|isa| *isa == Isa::Scalar || isa.is_available());
    isa == only.expect("DCN_TEST_ISA is an instruction set of this processor")
}
