//! The C boundary. Every exported function is here and does three things: it checks what only the boundary can check
//! (NULL handles, `struct_size`), calls inwards behind a panic guard, and turns the outcome into a status and a message
//! for this thread.
//!
//! Conventions, kept by the helpers of this folder:
//! - [`guard::guard`] wraps every fallible function: no panic leaves, every error leaves its message;
//! - [`sized::read`] is the only way in for a struct that may grow, [`sized::write`] the only way out;
//! - a create function stores NULL through `out` before anything that can fail;
//! - `const` handles are shared freely between threads, so handles are never borrowed mutably.

#![allow(non_camel_case_types, reason = "these are the names of the C interface")]

mod backend;
mod context;
mod guard;
mod message;
mod passes;
mod plan;
mod sized;
mod status;
mod version;

pub use backend::*;
pub use context::*;
pub use message::dcn_last_error_message;
pub use passes::*;
pub use plan::*;
pub use status::*;
pub use version::*;
