//! The C and C++ programs of `c_tests/`, against the library as it is installed: each built by every compiler at hand,
//! warnings being errors, and run.

mod native;

use native::{Language, Link, compile, compilers, lib_dir, output_of, run, succeeds};
use std::path::Path;
use std::process::Command;

/// Builds a program with every compiler and runs it; its output on failure.
fn passes(file: &str) {
    if file == "thread_limit.c" && native::is_cross() {
        return println!("did not run: {file}: the emulator does not limit a program's memory");
    }
    for compiler in compilers(Language::of(file)) {
        let program = compile(&compiler, file, Link::Shared, "", &[]);
        print!("{}", output_of(&mut run(&program)));
    }
}

macro_rules! programs {
    ($($name:ident: $file:literal,)*) => {
        $(#[test] fn $name() { passes($file); })*

        /// No program lies about that nobody runs.
        #[test]
        fn every_program_is_listed() {
            let mut listed = vec![$($file,)* "system_calls.c", "unload.c"];
            let mut files: Vec<_> = std::fs::read_dir(native::source("")).expect("c_tests is readable")
                .map(|entry| entry.expect("c_tests is readable").file_name().into_string().expect("names are UTF-8"))
                .filter(|name| name.ends_with(".c") || name.ends_with(".cpp")).collect();
            listed.sort_unstable();
            files.sort_unstable();
            assert_eq!(files, listed);
        }
    };
}

programs! {
    backward: "backward.c",
    concurrent: "concurrent.c",
    environment: "environment.c",
    executors: "executors.c",
    float_state: "float_state.c",
    fork: "fork.c",
    guard_pages: "guard_pages.c",
    lifetime: "lifetime.c",
    log: "log.c",
    message: "message.c",
    mx_driving: "mx_driving.c",
    no_lock: "no_lock.c",
    null_pointers: "null_pointers.c",
    numbers: "numbers.c",
    out_of_memory: "out_of_memory.c",
    overlap: "overlap.c",
    packed_weight: "packed_weight.c",
    queries: "queries.c",
    refused: "refused.c",
    status: "status.c",
    struct_size: "struct_size.c",
    thread_limit: "thread_limit.c",
    too_large: "too_large.c",
    unknown_values: "unknown_values.c",
    workspace: "workspace.c",
    wrapper: "wrapper.cpp",
}

#[test]
fn unload() {
    for compiler in compilers(Language::C) {
        let program = compile(&compiler, "unload.c", Link::None, "", &[]);
        output_of(run(&program).arg(lib_dir().join("libdeformconv.so")));
    }
}

/// What strace saw the calling thread do between the pairs of marks of `system_calls.c`.
fn system_calls_between_marks(trace: &str) -> Vec<Vec<&str>> {
    let lines: Vec<_> = trace.lines().collect();
    let sections: Vec<_> = lines.split(|line| line.starts_with("getppid(")).map(<[_]>::to_vec).collect();
    sections.into_iter().skip(1).step_by(2).collect()
}

/// With the caller's workspace and packed weights a small problem asks nothing of the system on the calling thread.
#[test]
fn small_runs_make_no_system_call() {
    let blind = native::is_cross() || !succeeds(Command::new("strace").args(["-o", "/dev/null", "true"]));
    if blind {
        return println!(
            "did not run: system calls of small runs: strace is missing or may not trace, or this is a cross build"
        );
    }
    for compiler in compilers(Language::C) {
        let program = compile(&compiler, "system_calls.c", Link::Shared, "", &[]);
        let trace = program.with_extension("strace");
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", "60", "strace", "-o"]).arg(&trace).arg(&program);
        output_of(command.env_remove("DCN_NUM_THREADS").env_remove("DCN_MAX_ISA").env_remove("DCN_VERBOSE"));
        let trace = std::fs::read_to_string(&trace).expect("strace has written its file");
        let [one_thread, default_context, pool] = &system_calls_between_marks(&trace)[..] else {
            panic!("expected three pairs of marks: {trace}");
        };
        assert_eq!(one_thread, &[""; 0]);
        assert_eq!(default_context, &[""; 0]);
        assert!(!pool.is_empty(), "the trace does not even show a run on a pool: {trace}");
    }
}

/// The archive links with the libraries that pkg-config would name, and the program then needs no libdeformconv.so.
#[test]
fn static_archive() {
    for (file, language) in [("numbers.c", Language::C), ("wrapper.cpp", Language::Cpp)] {
        for compiler in compilers(language) {
            let program = compile(&compiler, file, Link::Static, "-static", &[]);
            output_of(&mut run(&program));
            let needed = output_of(Command::new("readelf").arg("-d").arg(&program));
            assert!(!needed.contains("libdeformconv"), "{needed}");
        }
    }
}

/// What the library reads and writes in the programs' buffers, and what it leaves allocated.
const CHECKED: [&str; 5] = ["numbers.c", "overlap.c", "packed_weight.c", "null_pointers.c", "struct_size.c"];

#[test]
fn valgrind_finds_nothing() {
    if native::is_cross() {
        return println!("did not run: C programs under valgrind: it runs no programs of another processor");
    }
    if !succeeds(Command::new("valgrind").arg("--version")) {
        return println!("did not run: C programs under valgrind: it is not installed");
    }
    for compiler in compilers(Language::C).iter().take(1) {
        for file in CHECKED {
            let program = compile(compiler, file, Link::Shared, "-memcheck", &[]);
            let mut command = Command::new("timeout");
            command.args(["--kill-after=5", "120", "valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full"]);
            command.args(["--errors-for-leak-kinds=definite,indirect", "--show-leak-kinds=definite,indirect"]);
            output_of(command.arg(program));
        }
    }
}

/// The C side under the address and undefined behaviour sanitizers, which also see what the library leaks.
#[test]
fn sanitizers_find_nothing() {
    let flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let run_sanitized = |program: &Path| {
        let mut command = run(program);
        if native::is_cross() {
            command.env("ASAN_OPTIONS", "detect_leaks=0");
        }
        command
    };
    if native::is_cross() {
        println!("did not run: the leak sanitizer with C programs: it does not work in an emulator");
        println!("did not run: half of the C programs with sanitizers: they take long in an emulator");
    }
    for compiler in compilers(Language::C).iter().take(1) {
        let probe = native::build_dir().join("sanitizer-probe");
        let source = native::build_dir().join("sanitizer-probe.c");
        std::fs::write(&source, "int main(void) { return 0; }\n").expect("the build directory is writable");
        if !succeeds(compiler.command().args(flags).arg(&source).arg("-o").arg(&probe))
            || !succeeds(&mut run_sanitized(&probe))
        {
            return println!("did not run: C programs with sanitizers: they are not installed");
        }
        let others = ["out_of_memory.c", "executors.c", "refused.c", "unknown_values.c"];
        for file in CHECKED.into_iter().chain(others.into_iter().filter(|_| !native::is_cross())) {
            output_of(&mut run_sanitized(&compile(compiler, file, Link::Shared, "-sanitized", &flags)));
        }
    }
}
