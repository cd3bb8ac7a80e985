//! Each public header compiles alone, in every standard and by every compiler at hand, all warnings being errors.

mod native;

use native::{Compiler, Language, build_dir, compilers, succeeds, text_of};
use std::fs;
use std::process::Command;

const C_STANDARDS: [&str; 4] = ["c99", "c11", "c17", "c2x"];
const CPP_STANDARDS: [&str; 5] = ["c++11", "c++14", "c++17", "c++20", "c++2b"];

/// A compiler's command that only checks.
fn check(compiler: &Compiler, language: Language, standard: &str) -> Command {
    let mut command = compiler.command();
    command.args(["-fsyntax-only", "-x", if language == Language::C { "c" } else { "c++" }]);
    command.arg(format!("-std={standard}"));
    command
}

fn compiles_alone(header: &str, language: Language, standards: &[&str], warnings: &[&str]) {
    let tag = if language == Language::C { "c" } else { "cpp" };
    let source = build_dir().join(format!("alone-{}.{tag}", header.replace('.', "-")));
    let empty = build_dir().join(format!("empty-{}.{tag}", header.replace('.', "-")));
    // Twice: the include guard works.
    let text =
        format!("#include <deformconv/{header}>\n#include <deformconv/{header}>\nint main(void) {{ return 0; }}\n");
    fs::write(&source, text).expect("the build directory is writable");
    fs::write(&empty, "int main(void) { return 0; }\n").expect("the build directory is writable");
    for compiler in compilers(language) {
        for standard in standards {
            if !succeeds(check(&compiler, language, standard).arg(&empty)) {
                println!("did not run: {header} as {standard}: {} does not know it", compiler.name);
                continue;
            }
            let output = check(&compiler, language, standard).args(warnings).arg(&source).output().expect("it runs");
            assert!(output.status.success(), "{} -std={standard} {header}:\n{}", compiler.name, text_of(&output));
        }
    }
}

#[test]
fn c_header_as_c() {
    let warnings = ["-Wconversion", "-Wpadded", "-Wstrict-prototypes", "-Wc++-compat"];
    compiles_alone("deformconv.h", Language::C, &C_STANDARDS, &warnings);
}

#[test]
fn c_header_as_cpp() {
    let warnings = ["-Wconversion", "-Wpadded", "-Wold-style-cast"];
    compiles_alone("deformconv.h", Language::Cpp, &CPP_STANDARDS, &warnings);
}

#[test]
fn cpp_header() {
    let warnings = ["-Wconversion", "-Wold-style-cast", "-Wshadow", "-Wzero-as-null-pointer-constant"];
    compiles_alone("deformconv.hpp", Language::Cpp, &CPP_STANDARDS, &warnings);
}
