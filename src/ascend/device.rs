//! What is loaded once in a process: CANN, and the kernels of each device that plans were made for. Kernels stay
//! loaded, as a run that was enqueued needs them after its plan is destroyed.

use super::acl::{Acl, Handle, INFO_CUBE_CORES, INFO_VECTOR_CORES, Load};
use super::loader::{self, Libraries};
use crate::abi::*;
use crate::error::{Error, Result, require};
use crate::exec::fork;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

/// A device with our kernels on it.
pub struct Device {
    pub acl: Arc<Acl>,
    pub index: i32,
    pub vector_cores: u32,
    binary: Handle,
    /// The process that CANN was loaded in, counted by forks.
    generation: u64,
}

// SAFETY: CANN's functions may be called from any thread; handles are only passed back to them.
unsafe impl Send for Device {}
// SAFETY: as above.
unsafe impl Sync for Device {}

/// A kernel of a loaded binary.
#[derive(Clone, Copy)]
pub struct Function(pub Handle);

// SAFETY: a handle that is only passed back to CANN.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

#[derive(Default)]
struct Registry {
    acl: Option<(u64, Arc<Acl>)>,
    devices: BTreeMap<i32, Arc<Device>>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { acl: None, devices: BTreeMap::new() });

impl Registry {
    fn acl(&mut self) -> Result<Arc<Acl>> {
        fork::watch()?;
        if let Some((generation, acl)) = &self.acl {
            alive(*generation)?;
            return Ok(Arc::clone(acl));
        }
        let acl = Arc::new(Acl::resolve(&Libraries::open()?)?);
        self.acl = Some((fork::generation(), Arc::clone(&acl)));
        Ok(acl)
    }
}

/// CANN, loaded on first use.
pub fn acl() -> Result<Arc<Acl>> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner).acl()
}

/// CANN's threads and its connection to the driver do not exist in a child process.
fn alive(generation: u64) -> Result<()> {
    require(generation == fork::generation(), || {
        let message = "this process was forked after CANN was loaded, which does not survive it: use Ascend in one of them, \
                       or load CANN after the fork";
        Error::new(DCN_ERROR_BACKEND, message)
    })
}

impl Device {
    /// The calling thread's device, which has to be `wanted` - 1 where that is not 0.
    pub fn current(wanted: i32) -> Result<Arc<Self>> {
        let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
        let acl = registry.acl()?;
        let index = current_index(&acl)?;
        require(wanted == 0 || wanted - 1 == index, || {
            let expected = format!("config->ascend_device = {wanted} asks for {}", wanted - 1);
            Error::argument(format!("the calling thread's device is {index}, but {expected} (aclrtSetDevice)"))
        })?;
        if let Some(device) = registry.devices.get(&index) {
            return Ok(Arc::clone(device));
        }
        let device = Arc::new(Self::load(acl, index)?);
        registry.devices.insert(index, Arc::clone(&device));
        Ok(device)
    }

    fn load(acl: Arc<Acl>, index: i32) -> Result<Self> {
        let soc = soc_name(&acl)?;
        let vector_cores = u32::try_from(capability(&acl, index, INFO_VECTOR_CORES)?).unwrap_or(0);
        require(vector_cores > 0, || {
            Error::new(DCN_ERROR_BACKEND, format!("aclGetDeviceCapability tells of no vector core on device {index}"))
        })?;
        let binary = load_binary(&acl, &loader::kernel_binary(&soc)?)?;
        Ok(Self { acl, index, vector_cores, binary, generation: fork::generation() })
    }

    /// Refuses to go on in a child process, or on a thread whose device is another.
    pub fn check_current(&self) -> Result<()> {
        alive(self.generation)?;
        let index = current_index(&self.acl)?;
        require(index == self.index, || {
            let expected = format!("the plan was made for device {}", self.index);
            Error::argument(format!("the calling thread's device is {index}, but {expected} (aclrtSetDevice)"))
        })
    }

    pub fn function(&self, name: &str) -> Result<Function> {
        let symbol = CString::new(name).map_err(|_| Error::internal("a kernel's name contains NUL"))?;
        let mut function = ptr::null_mut();
        // SAFETY: a loaded binary, a C string, a writable handle.
        let code = unsafe { (self.acl.functions.aclrtBinaryGetFunction)(self.binary, symbol.as_ptr(), &mut function) };
        self.acl.check(&format!("aclrtBinaryGetFunction({name})"), code)?;
        Ok(Function(function))
    }
}

fn current_index(acl: &Acl) -> Result<i32> {
    let mut index = -1;
    // SAFETY: a writable integer.
    let code = unsafe { (acl.functions.aclrtGetDevice)(&mut index) };
    acl.check("aclrtGetDevice (the caller makes a device current with aclrtSetDevice)", code)?;
    Ok(index)
}

pub fn device_count(acl: &Acl) -> Result<u32> {
    let mut count = 0;
    // SAFETY: a writable integer.
    let code = unsafe { (acl.functions.aclrtGetDeviceCount)(&mut count) };
    acl.check("aclrtGetDeviceCount", code)?;
    Ok(count)
}

pub fn soc_name(acl: &Acl) -> Result<String> {
    // SAFETY: a C string of CANN's, or NULL.
    unsafe {
        let name = (acl.functions.aclrtGetSocName)();
        acl.handle("aclrtGetSocName", name.cast_mut().cast())?;
        Ok(CStr::from_ptr(name).to_string_lossy().into_owned())
    }
}

fn capability(acl: &Acl, device: i32, info: i32) -> Result<i64> {
    let mut value = 0;
    // SAFETY: a writable integer.
    let code = unsafe { (acl.functions.aclGetDeviceCapability)(device as u32, info, &mut value) };
    acl.check("aclGetDeviceCapability", code)?;
    Ok(value)
}

/// Cube and vector cores of a device.
pub fn cores(acl: &Acl, device: i32) -> Result<(i64, i64)> {
    Ok((capability(acl, device, INFO_CUBE_CORES)?, capability(acl, device, INFO_VECTOR_CORES)?))
}

fn load_binary(acl: &Acl, path: &Path) -> Result<Handle> {
    let mut binary = ptr::null_mut();
    match &acl.load {
        Load::File(load) => {
            let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::internal("a path contains NUL"))?;
            // SAFETY: a C string, default options, a writable handle.
            let code = unsafe { (load.aclrtBinaryLoadFromFile)(name.as_ptr(), ptr::null_mut(), &mut binary) };
            acl.check(&format!("aclrtBinaryLoadFromFile({})", path.display()), code)?;
        }
        Load::Bytes(load) => {
            let bytes = fs::read(path).map_err(|error| {
                Error::new(DCN_ERROR_BACKEND_UNAVAILABLE, format!("reading {} failed: {error}", path.display()))
            })?;
            // SAFETY: the bytes and the description live until the load is over; it copies them to the device.
            unsafe {
                let description = (load.aclrtCreateBinary)(bytes.as_ptr().cast(), bytes.len());
                let description = acl.handle("aclrtCreateBinary", description)?;
                let code = (load.aclrtBinaryLoad)(description, &mut binary);
                let outcome = acl.check(&format!("aclrtBinaryLoad({})", path.display()), code);
                (load.aclrtDestroyBinary)(description);
                outcome?;
            }
        }
    }
    Ok(binary)
}
