//! How many threads a configuration and the environment ask for.

use crate::error::{Error, Result, require};
use std::env;
use std::thread::available_parallelism;

/// More threads than any machine this is for has processors; a larger wish is a mistake, and starting so many would
/// take minutes before it failed.
const MOST: usize = 4096;

const VARIABLE: &str = "DCN_NUM_THREADS";

/// `num_threads` as configured, 0 being all processors that this process may use, capped by the environment.
pub(super) fn resolve(num_threads: i32) -> Result<usize> {
    let wish = usize::try_from(num_threads)
        .ok()
        .filter(|&n| n <= MOST)
        .ok_or_else(|| Error::argument(format!("config->num_threads is {num_threads}, expected 0 to {MOST}")))?;
    if wish > 0 {
        return Ok(wish);
    }
    let cap = cap_of_environment()?.unwrap_or(MOST).min(MOST);
    Ok(available_parallelism().map_or(1, usize::from).min(cap))
}

/// The value of DCN_NUM_THREADS; an empty one counts as not set.
fn cap_of_environment() -> Result<Option<usize>> {
    let Some(text) = env::var_os(VARIABLE).filter(|text| !text.is_empty()) else { return Ok(None) };
    let text = text.to_string_lossy();
    let refused = || Error::argument(format!("environment variable {VARIABLE} is \"{text}\", expected 1 or more"));
    let cap = text.trim().parse().map_err(|_| refused())?;
    require(cap > 0, refused)?;
    Ok(Some(cap))
}
