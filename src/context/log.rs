//! Log lines: to the host's logger or to standard error, and only those that were asked for.

use crate::abi::*;
use crate::error::{Error, Result, require};
use std::env;
use std::ffi::CString;
use std::io::{self, Write};

/// Where lines go and which.
pub struct Log {
    logger: dcn_logger,
    /// Bit `level` is set for each DCN_LOG_... level wanted.
    levels: u32,
}

// SAFETY: the host promises that its logger may be called from any thread; the rest is plain data.
unsafe impl Send for Log {}
// SAFETY: as above.
unsafe impl Sync for Log {}

const LEVELS: [(&str, i32); 4] =
    [("error", DCN_LOG_ERROR), ("check", DCN_LOG_CHECK), ("dispatch", DCN_LOG_DISPATCH), ("profile", DCN_LOG_PROFILE)];

impl Log {
    /// # Safety
    ///
    /// The logger's callback must be callable for as long as the log lives.
    pub unsafe fn new(logger: &dcn_logger) -> Result<Self> {
        require(logger.reserved.iter().all(|p| p.is_null()), || {
            Error::argument("config->logger.reserved is not NULL, expected NULL")
        })?;
        let all = LEVELS.iter().fold(0, |bits, (_, level)| bits | 1 << level);
        let levels = match env::var_os("DCN_VERBOSE") {
            Some(names) => requested(&names.to_string_lossy()),
            None if logger.log.is_some() => all,
            None => 0,
        };
        Ok(Self { logger: *logger, levels })
    }

    pub fn wants(&self, level: i32) -> bool {
        self.levels >> level & 1 != 0
    }

    /// Logs the fields as one comma-separated line that starts with `deformconv` and the level; `fields` is called only
    /// where the line is wanted.
    pub fn line(&self, level: i32, fields: impl FnOnce() -> String) {
        if !self.wants(level) {
            return;
        }
        let name = LEVELS.iter().find(|(_, l)| *l == level).map_or("?", |(name, _)| name);
        let text = format!("deformconv,{name},{}", fields().replace(char::is_control, " "));
        match self.logger.log {
            // One write, so that lines of several processes do not mix. A closed standard error is no reason to fail.
            None => drop(io::stderr().write_all(format!("{text}\n").as_bytes())),
            Some(log) => {
                let text = CString::new(text).unwrap_or_default();
                // SAFETY: the host promised that its logger is callable; the string lives during the call.
                unsafe { log(self.logger.ctx, level, text.as_ptr()) };
            }
        }
    }
}

/// The levels named in DCN_VERBOSE: a comma-separated list, or "all". Other names, "0" for one, stand for none.
fn requested(names: &str) -> u32 {
    let wanted = |name: &str| names.split(',').any(|part| part.trim() == name || part.trim() == "all");
    LEVELS.iter().filter(|(name, _)| wanted(name)).fold(0, |bits, (_, level)| bits | 1 << level)
}
