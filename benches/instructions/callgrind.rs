//! This program, run under callgrind, and what callgrind found.

use crate::rows::{COUNTED, Row};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// The instructions of each function, without those of the functions that it calls.
pub type Profile = BTreeMap<String, u64>;

/// The version of valgrind, if there is one.
pub fn version() -> Option<String> {
    let output = Command::new("valgrind").arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Counts a row in a process of its own.
pub fn profile(row: &Row) -> Result<Profile, String> {
    let program = env::current_exe().and_then(fs::canonicalize).map_err(|e| format!("this program's path: {e}"))?;
    let out = format!("deformconv-callgrind-{}-{}", std::process::id(), row.name().replace(' ', "-"));
    let out = env::temp_dir().join(out);
    let mut command = Command::new("valgrind");
    command.args(["-q", "--tool=callgrind", "--compress-strings=no", "--compress-pos=no", "--dump-line=no"]);
    command.arg(format!("--toggle-collect={COUNTED}")).arg(format!("--callgrind-out-file={}", out.display()));
    command.arg(&program).args(["--run", &row.name()]);
    for variable in ["DCN_NUM_THREADS", "DCN_MAX_ISA", "DCN_VERBOSE", "VALGRIND_OPTS"] {
        command.env_remove(variable);
    }
    let output = command.output().map_err(|e| format!("valgrind: {e}"))?;
    let text = fs::read_to_string(&out);
    let _ = fs::remove_file(&out);
    if !output.status.success() {
        return Err(format!("{}: {}{}", row.name(), output.status, String::from_utf8_lossy(&output.stderr)));
    }
    Ok(parse(&text.map_err(|e| format!("{}: {e}", out.display()))?, &program))
}

/// Of callgrind's output the part that lies in `program`: which memcpy the C library takes depends on the processor.
fn parse(text: &str, program: &Path) -> Profile {
    let mut profile = Profile::new();
    let (mut ours, mut function) = (false, "");
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(object) = line.strip_prefix("ob=") {
            ours = Path::new(object) == program;
        } else if let Some(name) = line.strip_prefix("fn=") {
            function = name;
        } else if line.starts_with("calls=") {
            // What follows is the callee's cost, which has lines of its own.
            lines.next();
        } else if ours && line.starts_with(|first: char| first.is_ascii_digit()) {
            let cost = line.split_whitespace().nth(1).and_then(|cost| cost.parse::<u64>().ok());
            let cost = cost.expect("a line of callgrind's is a position and a cost");
            *profile.entry(function.to_owned()).or_default() += cost;
        }
    }
    profile
}
