//! What can be said of the backend on this machine, stage by stage; the first thing that is missing is the answer.

use super::acl::Acl;
use super::device::{acl, cores, device_count, soc_name};
use super::loader::kernel_binary;
use crate::abi::*;
use crate::error::{Error, Result, require};

/// A line for a backend that is ready, or why it is not.
pub fn status() -> Result<String> {
    let acl = acl().map_err(unavailable)?;
    let devices = device_count(&acl).map_err(unavailable)?;
    require(devices > 0, || {
        Error::new(DCN_ERROR_BACKEND_UNAVAILABLE, "CANN is there, but aclrtGetDeviceCount tells of no device")
    })?;
    let soc = soc_name(&acl).map_err(unavailable)?;
    let kernels = kernel_binary(&soc)?;
    let (cube, vector) = cores(&acl, 0).map_err(unavailable)?;
    let (kernels, version) = (kernels.display(), version(&acl));
    Ok(format!(
        "ready: {soc}, {devices} device(s), {cube} cube and {vector} vector cores, {version}, kernels {kernels}"
    ))
}

/// A call that failed means that there is nothing to be used.
fn unavailable(error: Error) -> Error {
    Error { status: DCN_ERROR_BACKEND_UNAVAILABLE, ..error }
}

/// CANN's version is good to know, and not needed.
fn version(acl: &Acl) -> String {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: three writable integers.
    let code = unsafe { (acl.functions.aclrtGetVersion)(&mut major, &mut minor, &mut patch) };
    match acl.check("aclrtGetVersion", code) {
        Ok(()) => format!("ACL {major}.{minor}.{patch}"),
        Err(error) => format!("ACL of unknown version ({})", error.message),
    }
}
