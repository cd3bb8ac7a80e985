//! Memory full of a NaN pattern that no computation produces, so that reads and writes outside of what was described show.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};

/// A byte of poison. Elements made of it are NaNs of every floating-point type, with a payload no operation produces.
const POISON: u8 = 0xFF;

/// Poison kept on either side of what is handed out.
const GUARD: usize = 256;

const ALIGN: usize = 64;

/// A block that other code reads and writes through raw pointers.
pub struct Memory {
    start: *mut u8,
    layout: Layout,
}

impl Memory {
    pub fn poisoned(size: usize) -> Self {
        let layout = Layout::from_size_align(size.max(1), ALIGN).expect("the size of a test's buffer");
        // SAFETY: the size is not 0.
        let start = unsafe { alloc(layout) };
        if start.is_null() {
            handle_alloc_error(layout);
        }
        // SAFETY: just allocated.
        unsafe { start.write_bytes(POISON, layout.size()) };
        Self { start, layout }
    }

    pub fn at(&self, byte: usize) -> *mut u8 {
        assert!(byte <= self.layout.size());
        // SAFETY: inside the block or at its end.
        unsafe { self.start.add(byte) }
    }

    pub fn bytes(&self) -> Vec<u8> {
        // SAFETY: the block is initialised, and nobody writes while the tests look at it.
        unsafe { std::slice::from_raw_parts(self.start, self.layout.size()) }.to_vec()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.start, self.layout) };
    }
}

pub fn is_poison(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == POISON)
}

/// `size` bytes of scratch with guards flush with both ends, `misalignment` bytes after a multiple of 64.
pub struct Scratch {
    memory: Memory,
    first: usize,
    size: usize,
}

impl Scratch {
    pub fn new(size: usize, misalignment: usize) -> Self {
        let first = GUARD + misalignment;
        Self { memory: Memory::poisoned(first + size + GUARD), first, size }
    }

    pub fn pointer(&self) -> *mut u8 {
        self.memory.at(self.first)
    }

    pub fn size(&self) -> usize {
        self.size
    }

    /// The bytes with their guards.
    pub fn block(&self) -> Vec<u8> {
        self.memory.bytes()
    }

    pub fn assert_guards(&self, what: &str) {
        let bytes = self.memory.bytes();
        assert!(is_poison(&bytes[..self.first]), "{what}: written in front of its first byte");
        assert!(is_poison(&bytes[self.first + self.size..]), "{what}: written behind its last byte");
    }
}
