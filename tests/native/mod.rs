//! The library as a C program finds it (shared object, archive, headers), and the compilers that build such programs.
//!
//! cargo puts the shared object and the archive beside the test binaries; DCN_LIB_DIR and DCN_INCLUDE_DIR name those of
//! an installation instead.

#![allow(dead_code, reason = "each test crate uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::{env, fs};

pub const SONAME: &str =
    concat!("libdeformconv.so.", env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn source(name: &str) -> PathBuf {
    root().join("c_tests").join(name)
}

pub fn include_dir() -> PathBuf {
    env::var_os("DCN_INCLUDE_DIR").map_or_else(|| root().join("include"), PathBuf::from)
}

/// What pkg-config says that a program which links the archive has to link as well.
pub fn static_libs() -> Vec<String> {
    let text = fs::read_to_string(root().join("packaging/deformconv.pc.in")).expect("the pkg-config file is readable");
    let libraries = text.lines().find_map(|line| line.strip_prefix("Libs.private:"));
    let libraries = libraries.expect("the pkg-config file has Libs.private");
    libraries.split_whitespace().map(str::to_owned).collect()
}

/// Where the programs go.
pub fn build_dir() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c_tests");
    fs::create_dir_all(&dir).expect("the build directory can be made");
    dir
}

/// The folder with `libdeformconv.so`, the link with its SONAME, and `libdeformconv.a`.
pub fn lib_dir() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| env::var_os("DCN_LIB_DIR").map_or_else(stage, PathBuf::from))
}

/// An installation made of links to what cargo has just built.
fn stage() -> PathBuf {
    let test = env::current_exe().expect("a test knows its path");
    let built = test.parent().expect("a test lies in a folder");
    let dir = build_dir().join("lib");
    fs::create_dir_all(&dir).expect("the stage can be made");
    link(&built.join("libdeformconv.so"), &dir.join("libdeformconv.so"));
    link(&built.join("libdeformconv.so"), &dir.join(SONAME));
    link(&built.join("libdeformconv.a"), &dir.join("libdeformconv.a"));
    dir
}

/// Replaces a link in one step, since another test process may be using it.
fn link(from: &Path, to: &Path) {
    assert!(from.exists(), "{} is missing: run through cargo test, or set DCN_LIB_DIR", from.display());
    let fresh = to.with_extension(std::process::id().to_string());
    std::os::unix::fs::symlink(from, &fresh).expect("links can be made");
    fs::rename(fresh, to).expect("links can be replaced");
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Language {
    C,
    Cpp,
}

impl Language {
    pub fn of(source: &str) -> Self {
        if source.ends_with(".cpp") { Self::Cpp } else { Self::C }
    }
}

pub struct Compiler {
    pub name: &'static str,
    tool: cc::Tool,
}

impl Compiler {
    pub fn command(&self) -> Command {
        let mut command = self.tool.to_command();
        command.args(["-Wall", "-Wextra", "-Werror", "-pedantic"]).arg("-I").arg(include_dir());
        command
    }
}

/// gcc (or what the `cc` crate takes for this target) and clang, as far as they are installed; says what is not.
pub fn compilers(language: Language) -> Vec<Compiler> {
    let clang = if language == Language::Cpp { "clang++" } else { "clang" };
    let mut found = vec![Compiler { name: "cc", tool: build(language).get_compiler() }];
    if is_cross() {
        println!("did not run: C sources with {clang}: this is a cross build");
    } else if succeeds(Command::new(clang).arg("--version")) {
        found.push(Compiler { name: "clang", tool: build(language).compiler(clang).get_compiler() });
    } else {
        println!("did not run: C sources with {clang}: it is not installed");
    }
    found
}

/// Whether programs for this target run under an emulator only.
pub fn is_cross() -> bool {
    host() != env!("DCN_TARGET")
}

fn build(language: Language) -> cc::Build {
    let mut build = cc::Build::new();
    build.cpp(language == Language::Cpp).target(env!("DCN_TARGET")).host(host()).opt_level(1).debug(true);
    build.cargo_metadata(false).cargo_warnings(false).no_default_flags(true);
    build
}

/// The machine the compiler runs on, which is not the target where tests run under an emulator.
fn host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| {
        let text = output_of(Command::new("rustc").arg("-vV"));
        let host = text.lines().find_map(|line| line.strip_prefix("host: "));
        host.expect("rustc names its host").to_owned()
    })
}

pub fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Runs a command that must succeed; its output on failure.
pub fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, text_of(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn text_of(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// How a program finds the library.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Shared,
    Static,
    /// Not at all: it opens the library itself.
    None,
}

/// Builds `c_tests/<file>` and returns the program's path. `tag` keeps variants apart.
pub fn compile(compiler: &Compiler, file: &str, link: Link, tag: &str, flags: &[&str]) -> PathBuf {
    let program = build_dir().join(format!("{}-{}{tag}", file.replace('.', "-"), compiler.name));
    let standard = if Language::of(file) == Language::Cpp { "-std=c++11" } else { "-std=c11" };
    let mut command = compiler.command();
    command.args([standard, "-D_POSIX_C_SOURCE=200809L", "-O1", "-g", "-pthread"]).args(flags);
    if let Ok(percent) = env::var("DCN_TEST_PERCENT") {
        command.arg(format!("-DDCN_TEST_PERCENT={percent}"));
    }
    command.arg(source(file)).arg("-o").arg(&program);
    match link {
        Link::Shared => {
            command.arg("-L").arg(lib_dir()).arg("-ldeformconv");
            command.arg(format!("-Wl,-rpath,{}", lib_dir().display()));
        }
        Link::Static => {
            command.arg(lib_dir().join("libdeformconv.a")).args(static_libs());
        }
        Link::None => {
            command.arg("-ldl");
        }
    }
    output_of(command.arg("-lm"));
    program
}

/// A command that runs a program: under the emulator that cargo uses for this target, if any, and not for ever.
pub fn run(program: &Path) -> Command {
    let mut command = Command::new("timeout");
    // An emulator takes some twenty times as long.
    command.args(["--kill-after=5", if is_cross() { "300" } else { "60" }]);
    let target = env!("DCN_TARGET").to_uppercase().replace('-', "_");
    if let Ok(runner) = env::var(format!("CARGO_TARGET_{target}_RUNNER")) {
        command.args(runner.split_whitespace());
    }
    command.arg(program);
    for variable in ["DCN_NUM_THREADS", "DCN_MAX_ISA", "DCN_VERBOSE"] {
        command.env_remove(variable);
    }
    command
}
