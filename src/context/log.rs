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

const VARIABLE: &str = "DCN_VERBOSE";

/// The words that DCN_VERBOSE is a comma-separated list of, and the levels they stand for: as `levels` of [`Log`].
const WORDS: [(&str, u32); 6] = [
    ("error", 1 << DCN_LOG_ERROR),
    ("check", 1 << DCN_LOG_CHECK),
    ("dispatch", 1 << DCN_LOG_DISPATCH),
    ("profile", 1 << DCN_LOG_PROFILE),
    ("all", ALL),
    ("0", 0),
];
const ALL: u32 = 1 << DCN_LOG_ERROR | 1 << DCN_LOG_CHECK | 1 << DCN_LOG_DISPATCH | 1 << DCN_LOG_PROFILE;

impl Log {
    /// # Safety
    ///
    /// The logger's callback must be callable for as long as the log lives.
    pub unsafe fn new(logger: &dcn_logger) -> Result<Self> {
        require(logger.reserved.iter().all(|p| p.is_null()), || {
            Error::argument("config->logger.reserved is not NULL, expected NULL")
        })?;
        let mut log = Self { logger: *logger, levels: if logger.log.is_some() { ALL } else { 0 } };
        if let Some(words) = env::var_os(VARIABLE) {
            log.levels = 0;
            log.add(&words.to_string_lossy());
        }
        Ok(log)
    }

    /// Adds the levels of a comma-separated list. Words that mean nothing are named, whatever levels are wanted: who
    /// misspells one would wait for its lines in vain.
    fn add(&mut self, words: &str) {
        let mut unknown = Vec::new();
        for word in words.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match WORDS.iter().find(|(known, _)| *known == word) {
                Some((_, levels)) => self.levels |= levels,
                None => unknown.push(word),
            }
        }
        if !unknown.is_empty() {
            let (unknown, known) = (unknown.join(","), WORDS.map(|(word, _)| word).join(", "));
            let text = format!("context,environment variable {VARIABLE} has \"{unknown}\", expected words of {known}");
            self.write(DCN_LOG_ERROR, &text);
        }
    }

    pub fn wants(&self, level: i32) -> bool {
        self.levels >> level & 1 != 0
    }

    /// Logs the fields as one comma-separated line that starts with `deformconv` and the level; `fields` is called only
    /// where the line is wanted.
    pub fn line(&self, level: i32, fields: impl FnOnce() -> String) {
        if self.wants(level) {
            self.write(level, &fields());
        }
    }

    fn write(&self, level: i32, fields: &str) {
        let name = WORDS.iter().find(|(_, levels)| *levels == 1 << level).map_or("?", |(name, _)| name);
        let text = format!("deformconv,{name},{}", fields.replace(char::is_control, " "));
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
