//! Structs that grow: read with zeros where the caller's is shorter, refused where a longer one says something this
//! library does not know.

use crate::abi::*;
use crate::error::{Error, Result, require};
use std::mem::MaybeUninit;
use std::ptr;

/// No release will have a larger struct: what claims to be larger was not initialised.
const LARGEST: usize = 1 << 16;

/// A struct of the interface whose first field is `size_t struct_size`.
///
/// # Safety
///
/// All zero bytes must be a value of the type, and `struct_size` its first field.
pub(super) unsafe trait Growing: Copy {
    const NAME: &'static str;
    /// The size it had in the release that first published it.
    const FIRST_SIZE: usize;
}

// SAFETY (all six): integers, pointers and optional function pointers only, `struct_size` first.
unsafe impl Growing for dcn_problem {
    const NAME: &'static str = "dcn_problem";
    const FIRST_SIZE: usize = 1640;
}
unsafe impl Growing for dcn_context_config {
    const NAME: &'static str = "dcn_context_config";
    const FIRST_SIZE: usize = 136;
}
unsafe impl Growing for dcn_plan_info {
    const NAME: &'static str = "dcn_plan_info";
    const FIRST_SIZE: usize = 72;
}
unsafe impl Growing for dcn_pack_args {
    const NAME: &'static str = "dcn_pack_args";
    const FIRST_SIZE: usize = 64;
}
unsafe impl Growing for dcn_forward_args {
    const NAME: &'static str = "dcn_forward_args";
    const FIRST_SIZE: usize = 96;
}
unsafe impl Growing for dcn_backward_args {
    const NAME: &'static str = "dcn_backward_args";
    const FIRST_SIZE: usize = 136;
}

/// The `struct_size` the caller wrote, checked against the first release.
unsafe fn declared_size<T: Growing>(from: *const T, argument: &str) -> Result<usize> {
    require(!from.is_null(), || Error::null(argument, T::NAME))?;
    // SAFETY: not NULL, and the caller promises at least a struct_size there; it may be unaligned.
    let size = unsafe { from.cast::<usize>().read_unaligned() };
    require((T::FIRST_SIZE..=LARGEST).contains(&size), || {
        struct_size(format!(
            "{argument}->struct_size is {size}, expected sizeof({}), {} or more",
            T::NAME,
            T::FIRST_SIZE
        ))
    })?;
    Ok(size)
}

fn struct_size(message: String) -> Error {
    Error::new(DCN_ERROR_STRUCT_SIZE, message)
}

/// The caller's struct as this library knows it.
///
/// # Safety
///
/// `from` must be NULL or point to as many readable bytes as its `struct_size` says.
pub(super) unsafe fn read<T: Growing>(from: *const T, argument: &str) -> Result<T> {
    // SAFETY: the caller's promise.
    let size = unsafe { declared_size(from, argument)? };
    let known = size_of::<T>();
    let bytes = from.cast::<u8>();
    // SAFETY: bytes known..size are the caller's, who promises `size` of them.
    if let Some(at) = (known..size).find(|&i| unsafe { bytes.add(i).read() } != 0) {
        return Err(struct_size(format!(
            "{argument}->struct_size is {size} and byte {at} is not 0; this release of deformconv knows {known} bytes of {}",
            T::NAME
        )));
    }
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: both sides have min(size, known) bytes; the rest stays zero, and all zero is a value of T.
    unsafe {
        ptr::copy_nonoverlapping(bytes, value.as_mut_ptr().cast::<u8>(), size.min(known));
        Ok(value.assume_init())
    }
}

/// Fills the caller's struct with as much of `value` as it has room for; its `struct_size` stays.
///
/// # Safety
///
/// `to` must be NULL or point to as many writable bytes as its `struct_size` says.
pub(super) unsafe fn write<T: Growing>(value: &T, to: *mut T, argument: &str) -> Result<()> {
    // SAFETY: the caller's promise.
    let size = unsafe { declared_size(to, argument)? };
    let skip = size_of::<usize>();
    let n = size.min(size_of::<T>()) - skip;
    // SAFETY: both sides have skip + n bytes and are distinct objects.
    unsafe { ptr::copy_nonoverlapping(ptr::from_ref(value).cast::<u8>().add(skip), to.cast::<u8>().add(skip), n) };
    Ok(())
}
