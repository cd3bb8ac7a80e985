//! What the binaries export and need: exactly the functions of the header, a SONAME, no unloading, nothing but the C
//! library's own parts.

mod native;

use native::{SONAME, include_dir, lib_dir, output_of, root, static_libs};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

/// The functions that the header declares: names followed by a bracket, comments aside.
fn header_functions() -> BTreeSet<String> {
    let text = fs::read_to_string(include_dir().join("deformconv/deformconv.h")).expect("the header is readable");
    let declarations = text.split("extern \"C\" {").nth(1).expect("functions are in extern \"C\"");
    let code = declarations.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.filter_map(|line| line.split_once('(').and_then(|(before, _)| before.rsplit([' ', '*']).next()))
        .filter(|name| name.starts_with("dcn_"))
        .map(str::to_owned)
        .collect()
}

fn allowed() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("c_tests/symbols.txt")).expect("the allow-list is readable");
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn shared_object() -> std::path::PathBuf {
    lib_dir().join("libdeformconv.so")
}

fn exported() -> BTreeSet<String> {
    let text = output_of(Command::new("nm").args(["-D", "--defined-only"]).arg(shared_object()));
    text.lines().filter_map(|line| line.split_whitespace().last()).map(str::to_owned).collect()
}

#[test]
fn exported_symbols_are_the_functions_of_the_header() {
    assert_eq!(header_functions(), allowed(), "the header and c_tests/symbols.txt");
    assert_eq!(exported(), allowed(), "nm -D and c_tests/symbols.txt");
}

/// With readelf, as nm takes an object that holds bitcode for nothing but bitcode where it has a plugin for that.
#[test]
fn archive_defines_the_functions_of_the_header() {
    let text = output_of(Command::new("readelf").args(["-s", "-W"]).arg(lib_dir().join("libdeformconv.a")));
    let defined: BTreeSet<String> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|columns| matches!(columns[..], [_, _, _, _, "GLOBAL", _, section, _] if section != "UND"))
        .map(|columns| columns[7].to_owned())
        .filter(|name| name.starts_with("dcn_"))
        .collect();
    assert_eq!(defined, allowed(), "readelf -s libdeformconv.a and c_tests/symbols.txt");
}

fn dynamic_section() -> String {
    output_of(Command::new("readelf").args(["-d", "-W"]).arg(shared_object()))
}

#[test]
fn soname_carries_the_abi() {
    let section = dynamic_section();
    let soname = format!("soname: [{SONAME}]");
    assert!(section.contains(&soname), "{soname} is not in\n{section}");
}

#[test]
fn dlclose_does_not_unmap() {
    let section = dynamic_section();
    let flags = section.lines().find(|line| line.contains("(FLAGS_1)")).unwrap_or_default();
    assert!(flags.contains("NODELETE"), "{section}");
}

#[test]
fn needs_the_c_library_alone() {
    const ALLOWED: [&str; 6] = ["libc.so", "libgcc_s.so", "libm.so", "ld-linux", "libpthread.so", "libdl.so"];
    let section = dynamic_section();
    for line in section.lines().filter(|line| line.contains("(NEEDED)")) {
        let (_, name) = line.split_once('[').expect("readelf brackets the name");
        assert!(ALLOWED.iter().any(|allowed| name.starts_with(allowed)), "{line}");
    }
}

/// rustc says what its standard library needs; it is what the pkg-config file lists and the static programs link.
#[test]
fn static_libraries_are_those_rustc_names() {
    let mut rustc = Command::new("rustc");
    rustc.args(["--crate-name", "probe", "--crate-type", "staticlib", "--target", env!("DCN_TARGET")]);
    rustc.args(["--print", "native-static-libs", "-o"]).arg(native::build_dir().join("libprobe.a")).arg("-");
    let mut child = rustc.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("rustc runs");
    child.stdin.take().expect("stdin is a pipe").write_all(b"pub extern \"C\" fn probe() {}").expect("rustc reads");
    let text = native::text_of(&child.wait_with_output().expect("rustc ends"));
    let named = text.lines().find_map(|line| line.strip_prefix("note: native-static-libs: "));
    let named = named.unwrap_or_else(|| panic!("rustc names no libraries:\n{text}"));
    let listed = static_libs();
    for library in named.split_whitespace() {
        assert!(listed.iter().any(|l| l == library), "{library} of \"{named}\" is missing in {listed:?}");
    }
}
