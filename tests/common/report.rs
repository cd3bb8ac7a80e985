//! Lines for the person who runs the tests.

use std::io::{Write, stderr};

/// Writes a line that the test harness does not hold back where a test passes: what was measured, what did not run.
pub fn report(line: &str) {
    // Not eprintln, which the harness captures.
    let _ = writeln!(stderr(), "{line}");
}
