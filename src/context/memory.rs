//! Buffers whose size depends on the problem: from the host's allocator, or the process's.

use crate::abi::*;
use crate::error::{Error, Result, require};
use std::alloc::{Layout, alloc, dealloc};
use std::ptr::{NonNull, without_provenance_mut};

/// Alignment of every buffer: a cache line, which also serves the widest vectors.
pub const ALIGN: usize = 64;

/// Where buffers come from.
#[derive(Clone, Copy)]
pub struct Memory(dcn_allocator);

// SAFETY: the host promises that its allocator may be called from any thread.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// # Safety
    ///
    /// The allocator's callbacks must be callable for as long as the memory or a buffer of it lives.
    pub unsafe fn new(allocator: &dcn_allocator) -> Result<Self> {
        require(allocator.alloc.is_some() == allocator.free.is_some(), || {
            let (given, missing) = if allocator.alloc.is_some() { ("alloc", "free") } else { ("free", "alloc") };
            Error::argument(format!("config->allocator.{missing} is NULL and {given} is not, expected both or neither"))
        })?;
        require(allocator.reserved.iter().all(|p| p.is_null()), || {
            Error::argument("config->allocator.reserved is not NULL, expected NULL")
        })?;
        Ok(Self(*allocator))
    }

    /// `size` uninitialised bytes, aligned to [`ALIGN`], freed on drop.
    pub fn allocate(&self, size: usize, purpose: &str) -> Result<Buffer> {
        let failed = || Error::out_of_memory(format!("{purpose}: allocating {size} bytes failed"));
        let layout = Layout::from_size_align(size, ALIGN).map_err(|_| failed())?;
        let ptr = match self.0.alloc {
            _ if size == 0 => without_provenance_mut(ALIGN),
            // SAFETY: the host promised a callable allocator.
            Some(alloc) => unsafe { alloc(self.0.ctx, size, ALIGN).cast::<u8>() },
            // SAFETY: size is not 0.
            None => unsafe { alloc(layout) },
        };
        let ptr = NonNull::new(ptr).ok_or_else(failed)?;
        let buffer = Buffer { ptr, size, memory: *self };
        require(ptr.as_ptr().addr() % ALIGN == 0, || {
            Error::argument(format!("config->allocator.alloc returned {ptr:p}, expected a multiple of {ALIGN}"))
        })?;
        Ok(buffer)
    }
}

/// A block of memory, given back to where it came from on drop.
pub struct Buffer {
    ptr: NonNull<u8>,
    size: usize,
    memory: Memory,
}

// SAFETY: the block belongs to this buffer alone, and the allocator may be called from any thread.
unsafe impl Send for Buffer {}
// SAFETY: a shared buffer only tells where the block is and how long.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// A multiple of [`ALIGN`].
    pub fn as_ptr(&self) -> *mut u8 {
        self.ptr.as_ptr()
    }

    /// Bytes in the block.
    pub fn size(&self) -> usize {
        self.size
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.size == 0 {
            return;
        }
        match self.memory.0.free {
            // SAFETY: the pointer came from `alloc` with this size and alignment.
            Some(free) => unsafe { free(self.memory.0.ctx, self.ptr.as_ptr().cast(), self.size, ALIGN) },
            // SAFETY: as above; the layout was valid at allocation.
            None => unsafe { dealloc(self.ptr.as_ptr(), Layout::from_size_align_unchecked(self.size, ALIGN)) },
        }
    }
}
