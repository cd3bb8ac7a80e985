//! `dcn_context_config` and the callbacks it can carry.

use std::ffi::{c_char, c_void};

/// The host's thread pool. All zero = none: the context uses threads of its own.
///
/// `parallel_for` runs `task(arg, i)` exactly once for each i in 0..n, in any order and on any threads, the caller's
/// too, and returns when none runs and none will start, on failure as well. A result other than 0 makes the call fail
/// with DCN_ERROR_EXECUTOR. It is called with n <= max(1, concurrency), once or several times in a run, and from as
/// many threads at once as make calls. Tasks never wait for one another.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct dcn_executor {
    /// Passed to `parallel_for` as it is.
    pub ctx: *mut c_void,
    /// How many tasks may usefully run at once.
    pub concurrency: u32,
    /// Must be 0.
    pub reserved0: u32,
    /// See above.
    pub parallel_for: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            n: usize,
            task: Option<unsafe extern "C" fn(arg: *mut c_void, i: usize)>,
            arg: *mut c_void,
        ) -> i32,
    >,
    /// Must be NULL.
    pub reserved: [*mut c_void; 2],
}

/// The host's allocator, for every buffer whose size depends on the problem. Both functions or neither; they may be
/// called from any thread. `alloc` returns NULL on failure; `align` is a power of two.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct dcn_allocator {
    /// Passed to both functions as it is.
    pub ctx: *mut c_void,
    /// Returns `size` bytes at a multiple of `align`, or NULL.
    pub alloc: Option<unsafe extern "C" fn(ctx: *mut c_void, size: usize, align: usize) -> *mut c_void>,
    /// Takes back what `alloc` returned, with the same size and alignment.
    pub free: Option<unsafe extern "C" fn(ctx: *mut c_void, ptr: *mut c_void, size: usize, align: usize)>,
    /// Must be NULL.
    pub reserved: [*mut c_void; 2],
}

/// Level of a log line: a call that failed.
pub const DCN_LOG_ERROR: i32 = 1;
/// Level of a log line: a rule that a refused argument broke.
pub const DCN_LOG_CHECK: i32 = 2;
/// Level of a log line: which implementation a plan uses, and why others were passed over.
pub const DCN_LOG_DISPATCH: i32 = 3;
/// Level of a log line: a run and the time it took.
pub const DCN_LOG_PROFILE: i32 = 4;

/// Receives log lines, from any thread, instead of standard error. Lines are those that DCN_VERBOSE asks for; where it
/// is not set, all of them.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct dcn_logger {
    /// Passed to `log` as it is.
    pub ctx: *mut c_void,
    /// `level` is one of DCN_LOG_...; `text` is one line of UTF-8 without a newline, valid during the call.
    pub log: Option<unsafe extern "C" fn(ctx: *mut c_void, level: i32, text: *const c_char)>,
    /// Must be NULL.
    pub reserved: [*mut c_void; 2],
}

/// What a context is made of. Zero is the default of every field.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct dcn_context_config {
    /// sizeof(dcn_context_config).
    pub struct_size: usize,
    /// Threads a call may use, at most 4096; 1 = none but the caller's; 0 = all this process may use (affinity, cgroup
    /// quota), at most DCN_NUM_THREADS of the environment. Not used where there is an executor.
    pub num_threads: i32,
    /// Ascend: 0 = the device current when the plan is made; k > 0 = device k-1, which must be current.
    pub ascend_device: i32,
    /// Highest instruction set to use: NULL, "scalar", "avx2", "avx512" or "neon". NULL = DCN_MAX_ISA of the
    /// environment, else the best this processor has. Read during dcn_context_create only.
    pub max_isa: *const c_char,
    /// The host's thread pool, if any.
    pub executor: dcn_executor,
    /// The host's allocator, if any.
    pub allocator: dcn_allocator,
    /// The host's logger, if any.
    pub logger: dcn_logger,
}
