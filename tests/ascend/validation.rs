//! The program for hardware (`make ascend-validate`), run on the fake: that it finds nothing where nothing is wrong,
//! and what is wrong where it is.

use super::library::{CANN_8_1, kernel_dir, work_dir};
use crate::common::report::report;
use crate::native::{self, Language, compilers, lib_dir, output_of, root};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

const SOURCES: [&str; 7] = ["main", "bound", "cann", "device", "numbers", "run", "shape"];

fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        std::fs::create_dir_all(work_dir()).expect("folders can be made");
        let program = work_dir().join("ascend-validate");
        let mut command = compilers(Language::C)[0].command();
        command
            .args(["-std=c99", "-O2"])
            .args(SOURCES.map(|name| root().join(format!("c_tests/ascend_validate/{name}.c"))));
        command.arg("-o").arg(&program).arg("-L").arg(lib_dir()).args(["-ldeformconv", "-ldl", "-lm"]);
        command.arg(format!("-Wl,-rpath,{}", lib_dir().display()));
        output_of(&mut command);
        program
    })
}

fn validate(home: Option<&Path>, spoiled: bool) -> (Output, String) {
    let mut command = native::run(program());
    command.arg("--small").env_remove("ASCEND_HOME_PATH").env_remove("ASCEND_TOOLKIT_HOME");
    command.env("DCN_ASCEND_KERNEL_DIR", kernel_dir());
    home.map(|home| command.env("ASCEND_HOME_PATH", home));
    if spoiled {
        command.env("FAKE_ACL_SPOIL", "1");
    }
    let output = command.output().expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, text)
}

#[test]
fn a_right_device_passes() {
    let (output, text) = validate(Some(&CANN_8_1.make()), false);
    assert!(output.status.success(), "{text}");
    assert!(text.ends_with("\n5 shapes, 0 results beyond the bound\n"), "{text}");
    // y and the gradients of five shapes, two of which have no mask's or no bias's in their problem.
    let compared = text.lines().filter(|line| line.ends_with("of the bound")).count();
    assert_eq!(compared, 5 * 6 - 1, "{text}");
    assert!(text.contains("did not run: aclnnDeformableConv2d: this CANN has none"), "{text}");
}

#[test]
fn a_wrong_device_is_found() {
    let (output, text) = validate(Some(&CANN_8_1.make()), true);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.lines().filter(|line| line.ends_with("of the bound  FAILED")).count() > 8, "{text}");
}

#[test]
fn without_cann_it_says_so() {
    if Path::new("/usr/local/Ascend").exists() {
        report("Ascend: the validation without CANN was NOT checked: this machine has one");
        return;
    }
    let (output, text) = validate(None, false);
    assert!(output.status.success(), "{text}");
    assert!(text.starts_with("did not run: ascend-validate: no CANN on this machine"), "{text}");
}

#[test]
fn without_cann_the_kernels_are_not_built_and_why_is_said() {
    if Path::new("/usr/local/Ascend").exists() {
        report("Ascend: the build of the kernels without CANN was NOT checked: this machine has one");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/ascend-kernels.sh");
    let mut command = std::process::Command::new(script);
    let output = command.env_remove("ASCEND_HOME_PATH").env_remove("ASCEND_TOOLKIT_HOME").output();
    let output = output.expect("the script starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("no CANN toolkit"), "{text}");
}
