//! Memory full of a NaN pattern that no computation produces, so that reads and writes outside of what was described
//! show.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::{io, ptr};

/// A byte of poison. Elements made of it are NaNs of every floating-point type, with a payload no operation produces.
const POISON: u8 = 0xFF;

/// Poison kept on either side of what is handed out.
const GUARD: usize = 256;

const ALIGN: usize = 64;

/// A page of memory, on the systems that tests run on.
pub const PAGE: usize = 4096;

/// A block that other code reads and writes through raw pointers.
pub struct Memory {
    start: *mut u8,
    layout: Layout,
    is_mapped: bool,
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
        Self { start, layout, is_mapped: false }
    }

    /// Zeros, which take memory only where they are touched.
    pub fn untouched(size: usize) -> Self {
        let size = size.next_multiple_of(PAGE);
        let layout = Layout::from_size_align(size, PAGE).expect("the size of a test's buffer");
        let (all, lazily) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_NORESERVE);
        // SAFETY: a fresh mapping, in pages as small as there are.
        unsafe {
            let start = libc::mmap(ptr::null_mut(), size, all, lazily | libc::MAP_ANONYMOUS, -1, 0);
            assert!(start != libc::MAP_FAILED, "mmap of {size} bytes: {}", io::Error::last_os_error());
            libc::madvise(start, size, libc::MADV_NOHUGEPAGE);
            Self { start: start.cast(), layout, is_mapped: true }
        }
    }

    /// Where the pages begin that were touched.
    pub fn touched_pages(&self) -> Vec<usize> {
        let mut states = vec![0; self.layout.size() / PAGE];
        // SAFETY: the whole of a mapping, and a byte for each of its pages.
        let status = unsafe { libc::mincore(self.start.cast(), self.layout.size(), states.as_mut_ptr()) };
        assert!(self.is_mapped && status == 0, "mincore: {}", io::Error::last_os_error());
        (0..states.len()).filter(|&page| states[page] & 1 != 0).map(|page| page * PAGE).collect()
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
        // SAFETY: allocated with this layout, or mapped with its size.
        unsafe {
            if self.is_mapped {
                libc::munmap(self.start.cast(), self.layout.size());
            } else {
                dealloc(self.start, self.layout);
            }
        }
    }
}

pub fn is_poison(bytes: &[u8]) -> bool {
    // In pieces that end no loop early, which compilers make vectors of.
    bytes.chunks(1024).all(|piece| piece.iter().fold(POISON, |all, byte| all & byte) == POISON)
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
