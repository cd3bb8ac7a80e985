//! How much of the testing is done: all of it, or, where DCN_TEST_PERCENT says so, less, for runs under an emulator.

use std::env;

const PERCENT: &str = "DCN_TEST_PERCENT";

/// Whether less is done.
#[allow(dead_code, reason = "not every test that counts its cases asks")]
pub fn is_reduced() -> bool {
    env::var_os(PERCENT).is_some()
}

/// The number of random cases of a test that has `full` of them: DCN_TEST_PERCENT of it, but never none.
pub fn cases(full: u32) -> u32 {
    let Ok(percent) = env::var(PERCENT) else {
        return full;
    };
    let percent: u32 = percent.parse().expect("DCN_TEST_PERCENT is a whole number");
    (full * percent / 100).max(1)
}
