//! The Ascend backend, end to end: deformconv finds a fake CANN by dlopen, whose device runs the AscendC kernels on an
//! emulator, whose streams run nothing before they are synchronised, and which refuses what CANN would.

#[path = "../native/mod.rs"]
mod native;

mod device;
mod fake;
mod library;
mod run;

#[path = "../common/mod.rs"]
mod common;

#[path = "../golden/case.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod case;
#[path = "../golden/terms.rs"]
mod terms;

mod failures;
mod golden;
mod installations;
mod refusals;
mod results;
mod streams;
mod validation;
