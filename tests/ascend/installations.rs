//! What deformconv says of machines with and without CANN. Each machine is a process of its own, since a library that
//! was loaded stays: this test program again, which tells of itself what [`tell`] sees.

use super::fake::{Fake, open};
use super::library::{CANN_8_1, CANN_8_5, CANN_9, CANN_WITHOUT_LOAD_FILE, Installation, kernel_dir, work_dir};
use super::run::{self, Plan, Setup};
use crate::common::case::Case;
use crate::common::problem::Problem;
use crate::common::reference;
use crate::common::verify::compare;
use crate::native;
use deformconv::abi::*;
use deformconv::ffi::*;
use std::ffi::CString;
use std::path::Path;
use std::{env, fs};

/// A machine, in the environment of a process.
struct Machine<'a> {
    home: Option<&'a Path>,
    kernels: Option<&'a Path>,
    soc: &'a str,
    devices: u32,
}

/// What that process says: dcn_backend_status, its text, and the status of making a plan.
#[derive(Debug)]
struct Told {
    status: dcn_status,
    detail: String,
    plan: String,
}

impl Machine<'_> {
    fn ask(&self) -> Told {
        let mut command = native::run(&env::current_exe().expect("a test knows its path"));
        command.args(["--exact", "installations::tell", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env_remove("ASCEND_HOME_PATH").env_remove("ASCEND_TOOLKIT_HOME").env_remove("DCN_ASCEND_KERNEL_DIR");
        command.env_remove("LD_LIBRARY_PATH");
        command.env("FAKE_SOC", self.soc).env("FAKE_DEVICES", self.devices.to_string());
        self.home.map(|home| command.env("ASCEND_HOME_PATH", home));
        self.kernels.map(|kernels| command.env("DCN_ASCEND_KERNEL_DIR", kernels));
        let output = command.output().expect("this program runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.split_once(&format!("{name}=")));
            line.unwrap_or_else(|| panic!("no {name} in:\n{text}\n{errors}")).1.to_owned()
        };
        assert!(output.status.success(), "{text}\n{errors}");
        Told { status: field("status").parse().unwrap(), detail: field("detail"), plan: field("plan") }
    }
}

/// One machine's process; not a test by itself.
#[test]
#[ignore = "the process of one machine, started by the other tests"]
fn tell() {
    let Ok(soc) = env::var("FAKE_SOC") else { return };
    let fake = env::var_os("ASCEND_HOME_PATH").map(|home| open(Path::new(&home)));
    if let Some(fake) = &fake {
        let soc = CString::new(soc).unwrap();
        // SAFETY: plain calls.
        unsafe {
            (fake.fake_set_soc)(soc.as_ptr());
            (fake.fake_set_devices)(env::var("FAKE_DEVICES").unwrap().parse().unwrap());
            (fake.aclrtSetDevice)(0);
        }
    }
    let mut detail = [0_u8; 4096];
    // SAFETY: the buffer has that many bytes.
    let status = unsafe { dcn_backend_status(DCN_BACKEND_ASCEND, detail.as_mut_ptr().cast(), detail.len()) };
    let detail = std::ffi::CStr::from_bytes_until_nul(&detail).unwrap().to_string_lossy();
    println!("\nstatus={status}\ndetail={detail}");
    let problem = Problem::new(&Case::default());
    match Plan::new(&problem.descriptor, 0) {
        Err(refusal) => println!("plan={} {}", refusal.status, refusal.message),
        Ok(plan) => {
            drop(plan);
            let fake = Fake::of(Box::leak(Box::new(fake.expect("a plan has a device"))));
            let y = run::forward(&fake, &problem, Setup::default()).unwrap();
            compare("y", &y, &reference::forward(&problem)).unwrap();
            fake.assert_clean();
            // SAFETY: a plain call.
            println!("plan=ok {}", unsafe { (fake.functions.fake_live_binaries)() });
        }
    }
}

const SOC: &str = "Ascend910B3";

#[test]
fn cann_8_and_9_are_ready() {
    let kernels = kernel_dir();
    for installation in [CANN_8_1, CANN_WITHOUT_LOAD_FILE, CANN_8_5, CANN_9] {
        let home = installation.make();
        let told = Machine { home: Some(&home), kernels: Some(&kernels), soc: SOC, devices: 2 }.ask();
        assert_eq!(told.status, DCN_OK, "{}: {told:?}", installation.name);
        let binary = kernels.join("deformconv_ascend910b.o");
        let binary = binary.display();
        let expected =
            format!("ready: Ascend910B3, 2 device(s), 20 cube and 40 vector cores, ACL 1.14.0, kernels {binary}");
        assert_eq!(told.detail, expected, "{}", installation.name);
        // One binary stays loaded, for the two plans together.
        assert_eq!(told.plan, "ok 1", "{}", installation.name);
    }
}

#[test]
fn without_cann_the_libraries_that_were_tried_are_named() {
    if Path::new("/usr/local/Ascend").exists() {
        crate::common::report::report("Ascend: the status without CANN was NOT checked: this machine has one");
        return;
    }
    let told = Machine { home: None, kernels: None, soc: SOC, devices: 1 }.ask();
    assert_eq!(told.status, DCN_ERROR_BACKEND_UNAVAILABLE);
    assert!(told.detail.starts_with("no CANN on this machine, which DCN_BACKEND_ASCEND needs: tried "), "{told:?}");
    for name in ["libascendcl.so", "libacl_rt.so", "/usr/local/Ascend/ascend-toolkit/latest", "/usr/local/Ascend/cann"]
    {
        assert!(told.detail.contains(name), "{name}: {told:?}");
    }
    // Buffers for messages are not large, nor is patience.
    assert!(told.detail.len() <= 250, "{told:?}");
    assert_eq!(told.plan, format!("{} {}", DCN_ERROR_BACKEND_UNAVAILABLE, told.detail));

    let home = Installation { name: "half", libraries: &["libascendcl.so"], ..CANN_8_1 }.make();
    let told = Machine { home: Some(&home), kernels: None, soc: SOC, devices: 1 }.ask();
    assert_eq!(told.status, DCN_ERROR_BACKEND_UNAVAILABLE);
    assert!(told.detail.contains("libnnopbase.so") && !told.detail.contains("libopapi"), "{told:?}");
    assert!(told.detail.contains(home.to_str().unwrap()), "{told:?}");
}

#[test]
fn a_library_that_does_not_load_is_named_with_the_reason() {
    let home = Installation { name: "broken", libraries: &["libascendcl.so"], ..CANN_8_1 }.make();
    let library = home.join("lib64/libnnopbase.so");
    fs::write(&library, "not a library").unwrap();
    let told = Machine { home: Some(&home), kernels: None, soc: SOC, devices: 1 }.ask();
    assert_eq!(told.status, DCN_ERROR_BACKEND_UNAVAILABLE);
    let start = format!("this CANN, which DCN_BACKEND_ASCEND needs, does not load: {}: ", library.display());
    let reason = told.detail.strip_prefix(&start).unwrap_or_else(|| panic!("{told:?}"));
    assert!(!reason.is_empty() && !reason.contains("libnnopbase"), "{told:?}");
}

/// Every function that is needed, left out alone.
#[test]
fn a_missing_symbol_is_named() {
    let kernels = kernel_dir();
    let needed = [
        "aclrtGetSocName",
        "aclrtLaunchKernelWithConfig",
        "aclnnMm",
        "aclnnInplaceAddmmGetWorkspaceSize",
        "aclDestroyScalar",
    ];
    for (i, without) in needed.iter().enumerate() {
        let without: &'static [&'static str] = Box::leak(Box::new([*without]));
        let name: &'static str = Box::leak(format!("without-{i}").into_boxed_str());
        let installation = Installation { name, without, ..CANN_8_1 };
        let home = installation.make();
        let told = Machine { home: Some(&home), kernels: Some(&kernels), soc: SOC, devices: 1 }.ask();
        assert_eq!(told.status, DCN_ERROR_BACKEND_UNAVAILABLE, "{without:?}");
        let expected = format!("this CANN lacks {}; expected CANN 8.1 or later (opened ", without[0]);
        assert!(told.detail.starts_with(&expected), "{told:?}");
        assert!(told.plan.starts_with(&format!("{DCN_ERROR_BACKEND_UNAVAILABLE} ")), "{told:?}");
    }
    let neither =
        Installation { name: "without-load", without: &["aclrtBinaryLoadFromFile", "aclrtBinaryLoad"], ..CANN_8_1 };
    let told = Machine { home: Some(&neither.make()), kernels: Some(&kernels), soc: SOC, devices: 1 }.ask();
    assert!(told.detail.starts_with("this CANN lacks aclrtBinaryLoadFromFile, aclrtBinaryLoad; expected"), "{told:?}");
}

#[test]
fn later_stages_say_what_is_missing() {
    let (home, kernels) = (CANN_8_1.make(), kernel_dir());
    let told = Machine { home: Some(&home), kernels: Some(&kernels), soc: SOC, devices: 0 }.ask();
    assert_eq!(told.status, DCN_ERROR_BACKEND_UNAVAILABLE);
    assert_eq!(told.detail, "CANN is there, but aclrtGetDeviceCount tells of no device");
    assert!(told.plan.starts_with(&format!("{DCN_ERROR_BACKEND} aclrtGetDevice")), "{told:?}");

    for soc in ["Ascend310P3", "Ascend910A"] {
        let told = Machine { home: Some(&home), kernels: Some(&kernels), soc, devices: 1 }.ask();
        assert_eq!(told.status, DCN_ERROR_BACKEND_UNAVAILABLE);
        assert_eq!(told.detail, format!("no kernels for SoC {soc}, expected a SoC of Atlas A2 (Ascend910B)"));
        assert_eq!(told.plan, format!("{DCN_ERROR_BACKEND_UNAVAILABLE} {}", told.detail));
    }

    let empty = work_dir().join("empty");
    fs::create_dir_all(&empty).unwrap();
    let told = Machine { home: Some(&home), kernels: Some(&empty), soc: "Ascend910B1", devices: 1 }.ask();
    assert_eq!(told.status, DCN_ERROR_BACKEND_UNAVAILABLE);
    let beside = env::current_exe().unwrap();
    let looked = [&empty, beside.parent().unwrap()].map(|folder| folder.join("deformconv_ascend910b.o"));
    let looked = looked.map(|path| path.display().to_string()).join(", ");
    let expected = format!(
        "no kernel binary for SoC Ascend910B1: looked for {looked} (make ascend-kernels builds it, DCN_ASCEND_KERNEL_DIR \
         names its folder)"
    );
    assert_eq!(told.detail, expected);
    assert_eq!(told.plan, format!("{DCN_ERROR_BACKEND_UNAVAILABLE} {expected}"));

    let nameless = Machine { home: Some(&home), kernels: Some(&kernels), soc: "", devices: 1 }.ask();
    assert_eq!(nameless.status, DCN_ERROR_BACKEND_UNAVAILABLE);
    assert!(nameless.detail.starts_with("aclrtGetSocName returned NULL"), "{nameless:?}");
}
