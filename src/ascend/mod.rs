//! The Ascend backend (Atlas A2): AscendC kernels for everything but the matrix product, CANN's own `aclnnMm` and
//! `aclnnInplaceAddmm` for that, all on the caller's stream. CANN is found at run time.
//!
//! - [`loader`]: finds CANN's libraries and the kernel binary; [`acl`]: CANN's functions;
//! - [`device`]: what is loaded once in a process: CANN, and the kernels of each device;
//! - [`tiling`]: the structs that kernels are given; [`cut`] and [`plan`]: slabs, chunks, layouts, the workspace map.
//!   No calls, so that all decisions can be tested anywhere;
//! - [`launch`]: kernels and products put on a stream;
//! - [`run`], [`forward`] and [`backward`]: the passes, as `kernels/README.md` describes them;
//! - [`status`]: what is missing, stage by stage.

mod acl;
mod backward;
mod cut;
mod device;
mod forward;
mod launch;
mod loader;
mod plan;
mod run;
mod status;
mod tiling;

pub use backward::backward;
pub use forward::forward;
pub use plan::ALIGN;
pub use status::status;
