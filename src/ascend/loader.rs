//! Finds CANN's libraries and the kernel binary. Nothing of CANN is linked: a machine without it runs the CPU backend.

use crate::abi::*;
use crate::error::{Error, Result};
use std::env;
use std::ffi::{CStr, CString, OsString, c_int, c_void};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::ptr;

/// A part of CANN: the libraries that may have it, in the order they are tried. All of a set are needed together.
struct Part {
    sets: &'static [&'static [&'static str]],
}

/// CANN 8 has one runtime and one operator library, CANN 9 a runtime under another name and a library for each family
/// of operators.
const PARTS: [Part; 3] = [
    Part { sets: &[&["libascendcl.so"], &["libacl_rt.so"]] },
    Part { sets: &[&["libnnopbase.so"]] },
    Part { sets: &[&["libopapi.so"], &["libopapi_nn.so", "libopapi_math.so"]] },
];

/// Environment variables that CANN's set_env.sh sets, then where CANN 8 and CANN 9 install.
const HOMES: [&str; 2] = ["ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME"];
const INSTALLED: [&str; 2] = ["/usr/local/Ascend/ascend-toolkit/latest", "/usr/local/Ascend/cann"];

/// Names the folder in which kernel binaries are looked for first.
pub const KERNEL_DIR: &str = "DCN_ASCEND_KERNEL_DIR";

/// CANN's libraries, opened. They stay open: other parts of the process use them too, and they do not survive closing.
pub struct Libraries(Vec<Library>);

struct Library {
    name: String,
    handle: *mut c_void,
}

// SAFETY: handles of dlopen may be used from any thread.
unsafe impl Send for Libraries {}
// SAFETY: as above.
unsafe impl Sync for Libraries {}

impl Libraries {
    /// Opens all parts, or says which libraries were tried in vain.
    pub fn open() -> Result<Self> {
        let mut opened = Vec::new();
        for part in &PARTS {
            let mut refusals = Refusals::default();
            let set = part.sets.iter().find_map(|set| open_set(set, &mut refusals));
            opened.extend(set.ok_or_else(|| Error::new(DCN_ERROR_BACKEND_UNAVAILABLE, refusals.message()))?);
        }
        Ok(Self(opened))
    }

    /// The address of a symbol, whose name ends in NUL.
    pub fn symbol(&self, name: &str) -> Option<*mut c_void> {
        let name = CStr::from_bytes_with_nul(name.as_bytes()).ok()?;
        // SAFETY: the handles are open.
        let lookup = |library: &Library| unsafe { libc::dlsym(library.handle, name.as_ptr()) };
        self.0.iter().map(lookup).find(|address| !address.is_null())
    }

    pub fn opened(&self) -> Vec<String> {
        self.0.iter().map(|library| library.name.clone()).collect()
    }
}

/// What was tried in vain for a part.
#[derive(Default)]
struct Refusals {
    names: Vec<&'static str>,
    /// The first file that is there but does not load, and the dynamic linker's reason.
    broken: Option<(PathBuf, String)>,
}

impl Refusals {
    fn add(&mut self, path: PathBuf, reason: String) {
        // What the reason speaks of is this library or, where this one is there, another one that it needs.
        let is_missing = reason.starts_with(&*path.to_string_lossy()) && !path.exists();
        if !is_missing && self.broken.is_none() {
            self.broken = Some((path, reason));
        }
    }

    fn message(&self) -> String {
        if let Some((path, reason)) = &self.broken {
            let path = path.display().to_string();
            let reason = reason.strip_prefix(&path).unwrap_or(reason).trim_start_matches(": ");
            return format!("this CANN, which DCN_BACKEND_ASCEND needs, does not load: {path}: {reason}");
        }
        let folders: Vec<_> = folders().iter().map(|folder| folder.display().to_string()).collect();
        let (names, folders) = (self.names.join(" and "), folders.join(", "));
        format!(
            "no CANN on this machine, which DCN_BACKEND_ASCEND needs: tried {names} on the library path and in lib64 of \
             {folders} ({} names another folder)",
            HOMES[0]
        )
    }
}

fn open_set(names: &[&'static str], refusals: &mut Refusals) -> Option<Vec<Library>> {
    names.iter().map(|name| open(name, refusals)).collect()
}

/// A library that the process has loaded already (a second copy of CANN in one process would not work), else the first
/// that opens.
fn open(name: &'static str, refusals: &mut Refusals) -> Option<Library> {
    let loaded = dlopen(Path::new(name), libc::RTLD_NOLOAD);
    let candidates = folders().into_iter().map(|folder| folder.join("lib64").join(name)).chain([PathBuf::from(name)]);
    let library = loaded.ok().map(|handle| Library { name: format!("{name} (loaded already)"), handle });
    library.or_else(|| {
        refusals.names.push(name);
        candidates.into_iter().find_map(|path| match dlopen(&path, 0) {
            Ok(handle) => Some(Library { name: path.display().to_string(), handle }),
            Err(reason) => {
                refusals.add(path, reason);
                None
            }
        })
    })
}

fn folders() -> Vec<PathBuf> {
    let homes = HOMES.iter().filter_map(env::var_os).filter(|home| !home.is_empty()).map(PathBuf::from);
    homes.chain(INSTALLED.iter().map(PathBuf::from)).collect()
}

fn dlopen(path: &Path, flags: c_int) -> Result<*mut c_void, String> {
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    // SAFETY: a C string; the libraries' initialisers are CANN's.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL | flags) };
    if handle.is_null() { Err(dlerror().unwrap_or_else(|| path.display().to_string())) } else { Ok(handle) }
}

fn dlerror() -> Option<String> {
    // SAFETY: a C string of this thread's or NULL, copied at once.
    unsafe {
        let text = libc::dlerror();
        (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
    }
}

/// The kernel binary for a family of SoCs: in DCN_ASCEND_KERNEL_DIR, else beside this library.
pub fn kernel_binary(soc: &str) -> Result<PathBuf> {
    let unavailable = |message| Error::new(DCN_ERROR_BACKEND_UNAVAILABLE, message);
    let file = kernel_file(soc)
        .ok_or_else(|| unavailable(format!("no kernels for SoC {soc}, expected a SoC of Atlas A2 (Ascend910B)")))?;
    let named = env::var_os(KERNEL_DIR).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folders: Vec<PathBuf> = named.into_iter().chain(own_folder()).collect();
    let paths: Vec<PathBuf> = folders.iter().map(|folder| folder.join(file)).collect();
    paths.iter().find(|path| path.is_file()).cloned().ok_or_else(|| {
        let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        unavailable(format!(
            "no kernel binary for SoC {soc}: looked for {} (make ascend-kernels builds it, {KERNEL_DIR} names its folder)",
            paths.join(", ")
        ))
    })
}

/// Kernels are built for a family of SoCs.
fn kernel_file(soc: &str) -> Option<&'static str> {
    soc.to_ascii_lowercase().starts_with("ascend910b").then_some("deformconv_ascend910b.o")
}

/// The folder that this library was loaded from.
fn own_folder() -> Option<PathBuf> {
    let mut info = libc::Dl_info {
        dli_fname: ptr::null(),
        dli_fbase: ptr::null_mut(),
        dli_sname: ptr::null(),
        dli_saddr: ptr::null_mut(),
    };
    let own: fn() -> Option<PathBuf> = own_folder;
    // SAFETY: `info` is writable; the name it points to is the loader's and stays.
    let path = unsafe {
        if libc::dladdr(own as *const c_void, &mut info) == 0 || info.dli_fname.is_null() {
            return None;
        }
        PathBuf::from(OsString::from_vec(CStr::from_ptr(info.dli_fname).to_bytes().to_vec()))
    };
    path.parent().map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_found_by_family() {
        for soc in ["Ascend910B", "Ascend910B1", "Ascend910B4-1", "ascend910b2c"] {
            assert_eq!(kernel_file(soc), Some("deformconv_ascend910b.o"), "{soc}");
        }
        for soc in ["Ascend910A", "Ascend910", "Ascend310P3", "Ascend910_9391", ""] {
            assert_eq!(kernel_file(soc), None, "{soc}");
        }
    }
}
