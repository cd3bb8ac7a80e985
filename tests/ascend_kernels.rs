//! The Ascend kernels on the emulator (`c_tests/ascend_emu`), driven by the program in `c_tests/ascend_kernels`. No
//! hardware and nothing of CANN takes part.

mod native;

use native::{Compiler, Language, compilers, is_cross, output_of, root, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;

/// kernels.cpp, the longest to compile, is first.
const SOURCES: [&str; 10] = [
    "ascend_emu/kernels.cpp",
    "ascend_emu/machine.cpp",
    "ascend_emu/emulator.cpp",
    "ascend_kernels/mutants.cpp",
    "ascend_kernels/operator.cpp",
    "ascend_kernels/cases.cpp",
    "ascend_kernels/kernels.cpp",
    "ascend_kernels/emulator.cpp",
    "ascend_kernels/addresses.cpp",
    "ascend_kernels/main.cpp",
];

fn command(compiler: &Compiler) -> Command {
    let mut command = compiler.command();
    command.args(["-std=c++17", "-O2"]).arg("-I").arg(root().join("c_tests/ascend_emu"));
    command
}

fn object(compiler: &Compiler, folder: &Path, source: &str) -> PathBuf {
    let object = folder.join(source.replace(['/', '.'], "-")).with_extension("o");
    output_of(command(compiler).arg("-c").arg(native::source(source)).arg("-o").arg(&object));
    object
}

/// Builds the program, two sources at a time.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = native::build_dir().join("ascend_kernels");
        std::fs::create_dir_all(&folder).expect("folders can be made");
        let compiler = &compilers(Language::Cpp)[0];
        let (long, short) = SOURCES.split_at(3);
        let objects = thread::scope(|scope| {
            let folder = &folder;
            let build = move |sources: &[&str]| -> Vec<_> {
                sources.iter().map(|source| object(compiler, folder, source)).collect()
            };
            let first = scope.spawn(move || build(long));
            let mut objects = build(short);
            objects.extend(first.join().expect("the compiler's thread ends"));
            objects
        });
        let program = folder.join("ascend_kernels");
        output_of(command(compiler).args(&objects).arg("-o").arg(&program));
        program
    })
}

fn passes(arguments: &[&str]) {
    if is_cross() {
        println!("did not run: Ascend kernels {}: the emulator runs in the tests of the build machine", arguments[0]);
        return;
    }
    print!("{}", output_of(run(program()).args(arguments)));
}

/// CANN's compiler is a clang.
#[test]
fn kernels_compile_without_a_warning_everywhere() {
    for compiler in compilers(Language::Cpp) {
        output_of(command(&compiler).arg("-fsyntax-only").arg(native::source(SOURCES[0])));
    }
}

#[test]
fn random_problems_agree_with_the_reference() {
    passes(&["operator", "1", "300"]);
}

#[test]
fn more_random_problems_agree_with_the_reference() {
    passes(&["operator", "10001", "300"]);
}

#[test]
fn named_cases_agree_with_the_contract() {
    passes(&["cases"]);
}

#[test]
fn each_kernel_agrees_with_a_plain_loop() {
    passes(&["kernels"]);
}

#[test]
fn addresses_have_64_bits() {
    passes(&["addresses"]);
}

#[test]
fn the_emulator_finds_seeded_faults() {
    passes(&["emulator"]);
}

#[test]
fn every_synchronisation_left_out_is_noticed() {
    passes(&["mutants"]);
}
