//! Versions and the build.

use std::ffi::c_char;

/// Major version of this header.
pub const DCN_VERSION_MAJOR: u32 = 0;
/// Minor version of this header.
pub const DCN_VERSION_MINOR: u32 = 1;
/// Patch version of this header.
pub const DCN_VERSION_PATCH: u32 = 0;
/// ABI of this header: what the SONAME carries, major << 22 | (major == 0 ? minor << 12 : 0).
pub const DCN_ABI_VERSION: u32 = 4096;

/// Release of the library: major << 22 | minor << 12 | patch.
#[unsafe(no_mangle)]
pub extern "C" fn dcn_version() -> u32 {
    DCN_VERSION_MAJOR << 22 | DCN_VERSION_MINOR << 12 | DCN_VERSION_PATCH
}

/// ABI of the library, as in its SONAME. A program built against this header runs with a library whose value equals
/// DCN_ABI_VERSION.
#[unsafe(no_mangle)]
pub extern "C" fn dcn_abi_version() -> u32 {
    DCN_ABI_VERSION
}

/// Release, target and profile of the library, for bug reports. Static, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn dcn_build_info() -> *const c_char {
    concat!("deformconv ", env!("CARGO_PKG_VERSION"), " ", env!("DCN_TARGET"), " ", env!("DCN_PROFILE"), "\0")
        .as_ptr()
        .cast()
}
