//! The fake ACL library: compiled from its sources and the kernels' when one of them is newer, linked in variants that
//! leave symbols out.

use crate::native::{Compiler, Language, compilers, output_of};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::SystemTime;
use std::{env, fs};

/// Sources of the fake library; each is compiled by itself.
const SOURCES: [&str; 7] = [
    "c_tests/ascend_emu/kernels.cpp",
    "c_tests/ascend_emu/emulator.cpp",
    "c_tests/ascend_emu/machine.cpp",
    "c_tests/fake_acl/state.cpp",
    "c_tests/fake_acl/runtime.cpp",
    "c_tests/fake_acl/kernels.cpp",
    "c_tests/fake_acl/matrices.cpp",
];
/// Folders whose newest file decides whether anything is compiled.
const FOLDERS: [&str; 3] = ["c_tests/ascend_emu", "c_tests/fake_acl", "src/ascend/kernels"];

/// Which libraries an installation has, and which symbols they lack.
#[derive(Clone, Copy)]
pub struct Installation {
    pub name: &'static str,
    pub libraries: &'static [&'static str],
    pub without: &'static [&'static str],
}

pub const CANN_8_1: Installation =
    Installation { name: "cann-8.1", libraries: &["libascendcl.so", "libnnopbase.so", "libopapi.so"], without: &[] };
/// A runtime that has no aclrtBinaryLoadFromFile.
pub const CANN_WITHOUT_LOAD_FILE: Installation =
    Installation { name: "cann-load-bytes", without: &["aclrtBinaryLoadFromFile"], ..CANN_8_1 };
pub const CANN_8_5: Installation = Installation {
    name: "cann-8.5",
    libraries: &["libascendcl.so", "libnnopbase.so", "libopapi.so", "libopapi_nn.so", "libopapi_math.so"],
    without: &["aclrtBinaryLoad", "aclrtCreateBinary", "aclrtDestroyBinary"],
};
pub const CANN_9: Installation = Installation {
    name: "cann-9",
    libraries: &["libacl_rt.so", "libnnopbase.so", "libopapi_nn.so", "libopapi_math.so"],
    without: &["aclrtBinaryLoad", "aclrtCreateBinary", "aclrtDestroyBinary"],
};

impl Installation {
    /// Makes the installation and returns its folder, as ASCEND_HOME_PATH names it.
    pub fn make(&self) -> PathBuf {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap();
        let home = work_dir().join(self.name);
        let folder = home.join("lib64");
        fs::create_dir_all(&folder).expect("folders can be made");
        let library = folder.join("fake.so");
        let (objects, compiled) = compile();
        if modified(&library).is_none_or(|linked| linked < compiled) {
            self.link(&objects, &library);
        }
        for name in self.libraries {
            let link = folder.join(name);
            if !link.exists() {
                std::os::unix::fs::symlink("fake.so", link).expect("links can be made");
            }
        }
        home
    }

    fn link(&self, objects: &[PathBuf], library: &Path) {
        let hidden: String = self.without.iter().map(|name| format!("{name}; ")).collect();
        let script = library.with_extension("map");
        let local = if hidden.is_empty() { String::new() } else { format!("local: {hidden}") };
        fs::write(&script, format!("{{ global: *; {local}}};\n")).expect("files can be written");
        let fresh = library.with_extension(format!("{}", std::process::id()));
        let mut command = compiler();
        command.arg("-shared").arg("-o").arg(&fresh).args(objects);
        command.arg(format!("-Wl,--version-script={}", script.display()));
        output_of(&mut command);
        fs::rename(fresh, library).expect("files can be replaced");
    }
}

/// A folder with a file that stands for the kernel binary.
pub fn kernel_dir() -> PathBuf {
    let folder = work_dir().join("kernels");
    fs::create_dir_all(&folder).expect("folders can be made");
    fs::write(folder.join("deformconv_ascend910b.o"), "stands for the kernels; the fake has its own\n")
        .expect("files can be written");
    folder
}

pub fn work_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("ascend")
}

/// The object files, and when the newest one was made.
fn compile() -> (Vec<PathBuf>, SystemTime) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let objects = work_dir().join("objects");
    fs::create_dir_all(&objects).expect("folders can be made");
    let changed = FOLDERS.iter().flat_map(|folder| fs::read_dir(root.join(folder)).expect("the sources are there"));
    let changed = changed.filter_map(|entry| modified(&entry.unwrap().path())).max().expect("there are sources");
    let object = |source: &&str| objects.join(source.replace('/', "_")).with_extension("o");
    let stale = |source: &&&str| modified(&object(source)).is_none_or(|made| made < changed);
    let mut waiting: Vec<&&str> = SOURCES.iter().filter(stale).collect();
    // The kernels, which take longest, first; two at a time.
    let queue = Mutex::new(waiting.drain(..).rev().collect::<Vec<_>>());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(source) = { queue.lock().unwrap().pop() } {
                    let mut command = compiler();
                    command.args(["-std=c++17", "-O2", "-g1", "-fPIC", "-c"]);
                    command.arg("-I").arg(root.join("c_tests/ascend_emu"));
                    command.arg(root.join(source)).arg("-o").arg(object(source));
                    output_of(&mut command);
                }
            });
        }
    });
    let objects: Vec<PathBuf> = SOURCES.iter().map(&object).collect();
    let made = objects.iter().filter_map(|object| modified(object)).max().expect("the objects are there");
    (objects, made)
}

fn compiler() -> Command {
    static COMPILERS: OnceLock<Vec<Compiler>> = OnceLock::new();
    COMPILERS.get_or_init(|| compilers(Language::Cpp))[0].command()
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|data| data.modified()).ok()
}
