//! The functions of CANN that the back end calls, declared after Huawei's documentation: C functions, handles that are
//! plain pointers, error codes of which 0 is success. They are looked up at run time; nothing is linked.

#![allow(non_snake_case, reason = "these are the names of CANN's interface")]

use super::loader::Libraries;
use crate::abi::*;
use crate::error::{Error, Result};
use std::ffi::{CStr, c_char, c_int, c_void};

pub type AclError = c_int;
pub type Handle = *mut c_void;

pub const SUCCESS: AclError = 0;
/// `aclDeviceInfo`: which number aclGetDeviceCapability tells.
pub const INFO_CUBE_CORES: c_int = 0;
pub const INFO_VECTOR_CORES: c_int = 1;
/// `aclDataType` and `aclFormat` of the matrices that CANN multiplies.
pub const DATA_F32: c_int = 0;
pub const FORMAT_ND: c_int = 2;
/// `cubeMathType`: f32 stays f32.
pub const KEEP_PRECISION: i8 = 0;

/// Declares the table of functions: `name` is the symbol, all of one group are looked up by one function.
macro_rules! functions {
    ($(#[$doc:meta])* $table:ident { $($name:ident: fn($($type:ty),*) -> $result:ty,)* }) => {
        $(#[$doc])*
        pub struct $table {
            $(pub $name: unsafe extern "C" fn($($type),*) -> $result,)*
        }

        impl $table {
            /// The table, or the names that no library has.
            pub fn resolve(libraries: &Libraries) -> Result<Self, Vec<&'static str>> {
                $(let $name = libraries.symbol(concat!(stringify!($name), "\0"));)*
                match ($($name,)*) {
                    // SAFETY: the symbols are functions of these types, as CANN documents them.
                    ($(Some($name),)*) => Ok(unsafe { Self { $($name: std::mem::transmute::<Handle, unsafe extern "C" fn($($type),*) -> $result>($name),)* } }),
                    ($($name,)*) => Err([$((stringify!($name), $name.is_none()),)*]
                        .into_iter()
                        .filter_map(|(name, missing)| missing.then_some(name))
                        .collect()),
                }
            }
        }
    };
}

functions! {
    /// What every CANN from 8.0 on has.
    Functions {
        aclGetRecentErrMsg: fn() -> *const c_char,
        aclrtGetVersion: fn(*mut i32, *mut i32, *mut i32) -> AclError,
        aclrtGetDevice: fn(*mut i32) -> AclError,
        aclrtGetDeviceCount: fn(*mut u32) -> AclError,
        aclrtGetSocName: fn() -> *const c_char,
        aclGetDeviceCapability: fn(u32, c_int, *mut i64) -> AclError,
        aclrtMemsetAsync: fn(*mut c_void, usize, i32, usize, Handle) -> AclError,
        aclrtBinaryGetFunction: fn(Handle, *const c_char, *mut Handle) -> AclError,
        aclrtKernelArgsInit: fn(Handle, *mut Handle) -> AclError,
        aclrtKernelArgsAppend: fn(Handle, *mut c_void, usize, *mut Handle) -> AclError,
        aclrtKernelArgsAppendPlaceHolder: fn(Handle, *mut Handle) -> AclError,
        aclrtKernelArgsGetPlaceHolderBuffer: fn(Handle, Handle, usize, *mut *mut c_void) -> AclError,
        aclrtKernelArgsFinalize: fn(Handle) -> AclError,
        aclrtLaunchKernelWithConfig: fn(Handle, u32, Handle, Handle, Handle, *mut c_void) -> AclError,
        aclCreateTensor: fn(*const i64, u64, c_int, *const i64, i64, c_int, *const i64, u64, *mut c_void) -> Handle,
        aclDestroyTensor: fn(Handle) -> AclError,
        aclCreateScalar: fn(*mut c_void, c_int) -> Handle,
        aclDestroyScalar: fn(Handle) -> AclError,
        aclSetAclOpExecutorRepeatable: fn(Handle) -> AclError,
        aclDestroyAclOpExecutor: fn(Handle) -> AclError,
        aclnnMmGetWorkspaceSize: fn(Handle, Handle, Handle, i8, *mut u64, *mut Handle) -> AclError,
        aclnnMm: fn(*mut c_void, u64, Handle, Handle) -> AclError,
        aclnnInplaceAddmmGetWorkspaceSize: fn(Handle, Handle, Handle, Handle, Handle, i8, *mut u64, *mut Handle) -> AclError,
        aclnnInplaceAddmm: fn(*mut c_void, u64, Handle, Handle) -> AclError,
    }
}

functions! {
    /// Loading of kernels from 8.1 on.
    LoadFile {
        aclrtBinaryLoadFromFile: fn(*const c_char, *mut c_void, *mut Handle) -> AclError,
    }
}

functions! {
    /// Loading of kernels where CANN has no aclrtBinaryLoadFromFile.
    LoadBytes {
        aclrtCreateBinary: fn(*const c_void, usize) -> Handle,
        aclrtDestroyBinary: fn(Handle) -> AclError,
        aclrtBinaryLoad: fn(Handle, *mut Handle) -> AclError,
    }
}

/// How this CANN loads kernels.
pub enum Load {
    File(LoadFile),
    Bytes(LoadBytes),
}

/// CANN, loaded.
pub struct Acl {
    pub functions: Functions,
    pub load: Load,
}

impl Acl {
    pub fn resolve(libraries: &Libraries) -> Result<Self> {
        let missing = |names: Vec<&str>| {
            let (names, opened) = (names.join(", "), libraries.opened().join(", "));
            Error::new(
                DCN_ERROR_BACKEND_UNAVAILABLE,
                format!("this CANN lacks {names}; expected CANN 8.1 or later (opened {opened})"),
            )
        };
        let functions = Functions::resolve(libraries).map_err(missing)?;
        let load = match LoadFile::resolve(libraries) {
            Ok(load) => Load::File(load),
            Err(mut names) => Load::Bytes(LoadBytes::resolve(libraries).map_err(|others| {
                names.extend(others);
                missing(names)
            })?),
        };
        Ok(Self { functions, load })
    }

    /// An error code of CANN's as an error of ours, with what CANN says about it.
    pub fn check(&self, call: &str, code: AclError) -> Result<()> {
        if code == SUCCESS { Ok(()) } else { Err(self.failure(call, &format!("returned {code}"))) }
    }

    /// A handle that a call returned, unless it is NULL.
    pub fn handle(&self, call: &str, handle: Handle) -> Result<Handle> {
        if handle.is_null() { Err(self.failure(call, "returned NULL")) } else { Ok(handle) }
    }

    fn failure(&self, call: &str, outcome: &str) -> Error {
        // SAFETY: a C string of CANN's or NULL, valid until this thread's next call; copied at once.
        let text = unsafe {
            let text = (self.functions.aclGetRecentErrMsg)();
            if text.is_null() { Default::default() } else { CStr::from_ptr(text).to_string_lossy() }
        };
        let text = text.trim();
        let message = if text.is_empty() { "no message".into() } else { text.replace('\n', " ") };
        Error::new(DCN_ERROR_BACKEND, format!("{call} {outcome}: {message}"))
    }
}
