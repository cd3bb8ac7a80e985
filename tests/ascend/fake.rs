//! The fake ACL library as tests see it: CANN's functions that a host calls, and the controls of the fake.

use super::library::{CANN_8_1, kernel_dir};
use std::env;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

macro_rules! functions {
    ($($name:ident: fn($($type:ty),*) $(-> $result:ty)?,)*) => {
        #[allow(non_snake_case, reason = "these are the names of CANN's interface")]
        pub struct Functions {
            $(pub $name: unsafe extern "C" fn($($type),*) $(-> $result)?,)*
        }

        impl Functions {
            fn of(library: *mut c_void) -> Self {
                Self {
                    // SAFETY: the fake's functions have these types.
                    $($name: unsafe {
                        let address = libc::dlsym(library, concat!(stringify!($name), "\0").as_ptr().cast());
                        assert!(!address.is_null(), "the fake library has no {}", stringify!($name));
                        std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($type),*) $(-> $result)?>(address)
                    },)*
                }
            }
        }
    };
}

functions! {
    aclrtSetDevice: fn(i32) -> c_int,
    aclrtMalloc: fn(*mut *mut c_void, usize, c_int) -> c_int,
    aclrtFree: fn(*mut c_void) -> c_int,
    aclrtMemcpyAsync: fn(*mut c_void, usize, *const c_void, usize, c_int, *mut c_void) -> c_int,
    aclrtCreateStream: fn(*mut *mut c_void) -> c_int,
    aclrtDestroyStream: fn(*mut c_void) -> c_int,
    aclrtSynchronizeStream: fn(*mut c_void) -> c_int,
    fake_reset: fn(),
    fake_fail_call: fn(u64),
    fake_calls: fn() -> u64,
    fake_failed_call: fn() -> *const c_char,
    fake_violations: fn() -> *const c_char,
    fake_live_handles: fn() -> u64,
    fake_live_binaries: fn() -> u64,
    fake_pending: fn() -> u64,
    fake_executed: fn() -> u64,
    fake_setup_calls: fn() -> u64,
    fake_trace: fn() -> *const c_char,
    fake_set_soc: fn(*const c_char),
    fake_set_devices: fn(u32),
    fake_set_vector_cores: fn(u32),
    fake_set_product_workspace: fn(u64),
    emu_set_block_order: fn(u64),
    emu_set_max_keeps_nan: fn(c_int),
}

/// The fake, to itself for a test.
pub struct Fake {
    pub functions: &'static Functions,
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::new(());

impl Fake {
    /// Waits for other tests and starts afresh, with device 0 current on this thread.
    pub fn take() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Self::start(functions(), turn)
    }

    /// As [`Self::take`], for a process that has opened the library itself.
    pub fn of(functions: &'static Functions) -> Self {
        Self::start(functions, TURN.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn start(functions: &'static Functions, turn: MutexGuard<'static, ()>) -> Self {
        let fake = Self { functions, _turn: turn };
        // SAFETY: plain calls.
        unsafe {
            (functions.fake_set_devices)(8);
            (functions.fake_set_vector_cores)(40);
            (functions.fake_set_product_workspace)(0);
            (functions.emu_set_block_order)(0);
            (functions.emu_set_max_keeps_nan)(1);
            assert_eq!((functions.aclrtSetDevice)(0), 0);
            (functions.fake_reset)();
        }
        fake
    }

    pub fn violations(&self) -> String {
        // SAFETY: a C string that stays until the next call.
        unsafe { text((self.functions.fake_violations)()) }
    }

    pub fn trace(&self) -> Vec<String> {
        // SAFETY: as above.
        let trace = unsafe { text((self.functions.fake_trace)()) };
        trace.lines().map(str::to_owned).collect()
    }

    pub fn failed_call(&self) -> String {
        // SAFETY: as above.
        unsafe { text((self.functions.fake_failed_call)()) }
    }

    /// Nothing that CANN would not have forgiven has happened, and nothing is left behind.
    pub fn assert_clean(&self) {
        let violations = self.violations();
        assert!(violations.is_empty(), "CANN would have refused:\n{violations}");
        // SAFETY: plain calls.
        unsafe {
            assert_eq!((self.functions.fake_live_handles)(), 0, "handles are left behind");
            assert_eq!((self.functions.fake_pending)(), 0, "work is left on a stream");
        }
    }
}

/// # Safety
///
/// `from` is a C string.
unsafe fn text(from: *const c_char) -> String {
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(from) }.to_string_lossy().into_owned()
}

/// Opens the library that deformconv will find, an installation of CANN 8.1, and tells deformconv where it is.
fn functions() -> &'static Functions {
    static FUNCTIONS: OnceLock<Functions> = OnceLock::new();
    FUNCTIONS.get_or_init(|| {
        let home = CANN_8_1.make();
        // SAFETY: all tests of this program come through here before they read the environment.
        unsafe {
            env::set_var("ASCEND_HOME_PATH", &home);
            env::set_var("DCN_ASCEND_KERNEL_DIR", kernel_dir());
        }
        open(&home)
    })
}

pub fn open(home: &std::path::Path) -> Functions {
    let path = CString::new(home.join("lib64/fake.so").to_str().unwrap()).unwrap();
    // SAFETY: a C string; the library has harmless initialisers.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
    assert!(!library.is_null(), "{path:?} does not open");
    Functions::of(library)
}
