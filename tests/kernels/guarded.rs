//! Memory between pages that cannot be touched. Under Miri, which sees every access itself, a block of exactly the
//! size.

/// A byte of poison: NaN in every floating-point type, -1 in integers.
pub const POISON: u8 = 0xFF;

/// Where in its pages an operand lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Its first byte is the first of a page.
    Start,
    /// Its last byte is the last of a page.
    End,
}

impl Place {
    pub const ALL: [Self; 2] = [Self::Start, Self::End];
}

/// `len` bytes that can be touched, full of poison.
pub struct Guarded {
    block: block::Block,
    first: usize,
    len: usize,
}

impl Guarded {
    /// `len` bytes at one end of their pages, or, at the start, so many bytes behind it.
    pub fn new(len: usize, place: Place, behind: usize) -> Self {
        let block = block::Block::new(len + behind);
        // SAFETY: a fresh block.
        unsafe { block.start().write_bytes(POISON, block.len()) };
        let first = if place == Place::Start { behind } else { block.len() - len };
        Self { block, first, len }
    }

    pub fn pointer(&self) -> *mut u8 {
        // SAFETY: inside the block, or at its end if it is empty.
        unsafe { self.block.start().add(self.first) }
    }

    /// Whether what can be touched around the bytes is as it was.
    pub fn surroundings_are_poison(&self) -> bool {
        // SAFETY: the block is initialised, and nobody else has it.
        let bytes = unsafe { std::slice::from_raw_parts(self.block.start(), self.block.len()) };
        let (before, rest) = bytes.split_at(self.first);
        before.iter().chain(&rest[self.len..]).all(|&byte| byte == POISON)
    }
}

#[cfg(not(miri))]
mod block {
    use std::{io, ptr};

    /// Whole pages, with a page that cannot be touched at either end.
    pub struct Block {
        mapping: *mut u8,
        page: usize,
        mapped: usize,
    }

    impl Block {
        pub fn new(len: usize) -> Self {
            // SAFETY: asks for a number.
            let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
            let mapped = 2 * page + len.next_multiple_of(page);
            let (private, all) = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, libc::PROT_READ | libc::PROT_WRITE);
            // SAFETY: a fresh mapping, of which the pages between the guards become accessible.
            unsafe {
                let mapping = libc::mmap(ptr::null_mut(), mapped, libc::PROT_NONE, private, -1, 0);
                assert!(mapping != libc::MAP_FAILED, "mmap: {}", io::Error::last_os_error());
                let mapping = mapping.cast::<u8>();
                if len > 0 {
                    let status = libc::mprotect(mapping.add(page).cast(), mapped - 2 * page, all);
                    assert_eq!(status, 0, "mprotect: {}", io::Error::last_os_error());
                }
                Self { mapping, page, mapped }
            }
        }

        pub fn start(&self) -> *mut u8 {
            // SAFETY: behind the first guard.
            unsafe { self.mapping.add(self.page) }
        }

        pub fn len(&self) -> usize {
            self.mapped - 2 * self.page
        }
    }

    impl Drop for Block {
        fn drop(&mut self) {
            // SAFETY: mapped by `new`.
            unsafe { libc::munmap(self.mapping.cast(), self.mapped) };
        }
    }
}

#[cfg(miri)]
mod block {
    use std::alloc::{Layout, alloc, dealloc};

    pub struct Block {
        start: *mut u8,
        layout: Layout,
    }

    impl Block {
        pub fn new(len: usize) -> Self {
            let layout = Layout::from_size_align(len, 8).expect("the size of a test's operand");
            // SAFETY: operands are not empty.
            Self { start: unsafe { alloc(layout) }, layout }
        }

        pub fn start(&self) -> *mut u8 {
            self.start
        }

        pub fn len(&self) -> usize {
            self.layout.size()
        }
    }

    impl Drop for Block {
        fn drop(&mut self) {
            // SAFETY: allocated with this layout.
            unsafe { dealloc(self.start, self.layout) };
        }
    }
}
