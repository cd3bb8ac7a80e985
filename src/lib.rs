//! deformconv: modulated deformable convolution (DCNv2) behind a C ABI.
//!
//! One way through:
//!
//! ```text
//! C caller ─ ffi ─ problem ─ plan ─ exec ─ cpu/{scalar,avx2,avx512,neon}
//!                                └──────── ascend ─ (CANN, AscendC kernels)
//! ```
//!
//! - [`abi`]: the C types, plain data that every layer may speak of;
//! - [`ffi`]: the exported functions: NULL checks, `struct_size`, panic guard, error text;
//! - [`problem`]: descriptors → a checked [`problem::Problem`];
//! - [`context`]: what a host configures: threads, memory, log, instruction set;
//! - [`plan`]: problem + context → kernels, tiles, workspace map; checks of a run's pointers;
//! - [`exec`]: runs tasks inline, on the host's executor or on the context's own pool;
//! - [`ascend`]: the Ascend backend, which finds CANN at run time;
//! - [`cpu`]: both passes and their kernels.
//!
//! The product is the C interface; the Rust items are public for this repository's own tests and benches.

#[cfg(not(panic = "unwind"))]
compile_error!(
    "deformconv must be built with panic = \"unwind\": a panic has to become DCN_ERROR_INTERNAL, not an abort"
);
#[cfg(not(target_pointer_width = "64"))]
compile_error!("deformconv needs 64-bit pointers: sizes are computed in i64 and usize alike");

pub mod abi;
#[doc(hidden)]
pub mod ascend;
#[doc(hidden)]
pub mod context;
#[doc(hidden)]
pub mod cpu;
#[doc(hidden)]
pub mod error;
#[doc(hidden)]
pub mod exec;
pub mod ffi;
#[doc(hidden)]
pub mod plan;
#[doc(hidden)]
pub mod problem;
