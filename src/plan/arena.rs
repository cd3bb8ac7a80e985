//! Maps buffers into one block of memory.

use crate::error::{Error, Result};

/// Every buffer starts on a cache line.
pub const LINE: usize = 64;

/// The contract: what a thread's part of the workspace is at most, beside copies of images and gradients.
pub const THREAD_BYTES: usize = 8 << 20;

/// Hands out offsets, one buffer after the other.
#[derive(Default)]
pub struct Arena {
    size: usize,
}

impl Arena {
    /// The offset of a buffer of `count` elements of T.
    pub fn take<T>(&mut self, count: usize) -> Result<usize> {
        self.take_bytes(count.checked_mul(size_of::<T>()).ok_or_else(too_large)?)
    }

    pub fn take_bytes(&mut self, bytes: usize) -> Result<usize> {
        let offset = self.size;
        let end = bytes.checked_next_multiple_of(LINE).and_then(|bytes| offset.checked_add(bytes));
        self.size = end.filter(|&end| end <= isize::MAX as usize - LINE).ok_or_else(too_large)?;
        Ok(offset)
    }

    /// Bytes of all buffers together.
    pub fn size(&self) -> usize {
        self.size
    }
}

fn too_large() -> Error {
    Error::shape("the workspace of this problem does not fit 64 bits")
}
