//! What a host configures once: threads, memory, log, instruction set.

mod isa;
mod log;
mod memory;

pub use isa::Isa;
pub use log::Log;
pub use memory::{Buffer, Memory};

use crate::abi::*;
use crate::error::{Error, Result, require};
use crate::exec::Threads;

/// The inside of a `dcn_context`.
pub struct Context {
    pub threads: Threads,
    pub memory: Memory,
    pub log: Log,
    /// Highest instruction set that plans may use: the machine's, capped by the configuration or the environment.
    pub isa: Isa,
    /// As in the configuration: 0 = the calling thread's device, k > 0 = device k-1, which has to be current.
    pub ascend_device: i32,
}

impl Context {
    /// # Safety
    ///
    /// The configuration's callbacks must be callable for as long as the context lives, `max_isa` must be NULL or a C
    /// string.
    pub unsafe fn new(config: &dcn_context_config) -> Result<Self> {
        require(config.ascend_device >= 0, || {
            Error::argument(format!("config->ascend_device is {}, expected 0 or more", config.ascend_device))
        })?;
        // SAFETY: the caller's promise.
        unsafe {
            Ok(Self {
                log: Log::new(&config.logger)?,
                isa: Isa::highest(config.max_isa)?,
                memory: Memory::new(&config.allocator)?,
                ascend_device: config.ascend_device,
                threads: Threads::new(&config.executor, config.num_threads)?,
            })
        }
    }
}
