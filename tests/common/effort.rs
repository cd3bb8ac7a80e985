//! How much of the random testing is done.

use std::env;

/// The number of random cases of a test that has `full` of them: DCN_TEST_PERCENT of it, for runs under an emulator, but
/// never none.
pub fn cases(full: u32) -> u32 {
    let Ok(percent) = env::var("DCN_TEST_PERCENT") else {
        return full;
    };
    let percent: u32 = percent.parse().expect("DCN_TEST_PERCENT is a whole number");
    (full * percent / 100).max(1)
}
