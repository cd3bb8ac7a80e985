//! The header of packed weights, which every run checks.

use super::arena::LINE;
use crate::abi::*;
use crate::error::{Error, Result, require};

/// First bytes of packed weights: "dcnpack" and a format number.
const MAGIC: u64 = u64::from_le_bytes(*b"dcnpack1");

/// Bytes before the packed elements: a cache line, so that they are as aligned as the buffer is.
pub const HEADER_SIZE: usize = LINE;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedHeader {
    pub layout: u64,
    pub size: u64,
}

impl PackedHeader {
    /// # Safety
    ///
    /// `to` has HEADER_SIZE writable bytes.
    pub unsafe fn write(&self, to: *mut u8) {
        let mut bytes = [0; HEADER_SIZE];
        for (slot, word) in bytes.chunks_exact_mut(8).zip([MAGIC, self.layout, self.size]) {
            slot.copy_from_slice(&word.to_ne_bytes());
        }
        // SAFETY: the caller's promise.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, HEADER_SIZE) };
    }

    /// Refuses bytes that were not packed for this layout and size.
    ///
    /// # Safety
    ///
    /// `from` has HEADER_SIZE readable bytes.
    pub unsafe fn check(&self, from: *const u8) -> Result<()> {
        // SAFETY: the caller's promise; three words are less than a header.
        let word = |i: usize| unsafe { from.cast::<u64>().add(i).read_unaligned() };
        let (magic, layout, size) = (word(0), word(1), word(2));
        require(magic == MAGIC, || {
            Error::argument("args->packed_weight does not start with the header that dcn_plan_pack_weight writes")
        })?;
        require(layout == self.layout, || {
            Error::argument(format!(
                "args->packed_weight has layout {layout:#018x}, expected {:#018x} (packed_layout of dcn_plan_info)",
                self.layout
            ))
        })?;
        require(size == self.size, || {
            Error::argument(format!("args->packed_weight was packed as {size} bytes, expected {}", self.size))
        })
    }
}

/// A number for what a packed layout depends on: FNV-1a over the build and the fields.
pub fn layout_id(pass: dcn_pass, name: &str, fields: &[&[usize]]) -> u64 {
    let build = concat!(env!("CARGO_PKG_VERSION"), " ", env!("DCN_TARGET"));
    let bytes = build.bytes().chain(name.bytes()).chain(pass.to_le_bytes());
    let bytes = bytes.chain(fields.iter().copied().flatten().flat_map(|field| field.to_le_bytes()));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
