//! Runs a test in a process of its own, where it may change the environment, fork and count threads.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Names, in the child, the test that is to run there.
const MARK: &str = "DEFORMCONV_TEST_ALONE";
const DID_NOT_RUN: &str = "DID NOT RUN";
const FINISHED: &str = "the body ran to its end";
const LIMIT: Duration = Duration::from_secs(60);

/// Runs `body` in a child process that runs the test `name` of this binary and nothing else, on one thread and without
/// the library's environment variables. Returns what the child wrote; None in the child.
pub fn alone(name: &str, body: impl FnOnce()) -> Option<Output> {
    if env::var_os(MARK).is_some_and(|mark| mark == *name) {
        body();
        println!("{FINISHED}");
        return None;
    }
    let child = match command(name).spawn() {
        Err(error) if error.raw_os_error() == Some(libc::ENOEXEC) => {
            did_not_run(name, "this system cannot start a test binary of this architecture by itself");
            return None;
        }
        child => child.expect("the test binary can be started again"),
    };
    let output = wait(child).unwrap_or_else(|error| panic!("{name}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout);
    let wrote = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains(FINISHED), "{name}: {}\n{said}\n{wrote}", output.status);
    wrote.lines().filter(|line| line.contains(DID_NOT_RUN)).for_each(report);
    Some(output)
}

/// Says that a test, or a part of it, cannot run here. The harness shows what passing tests print only when asked, so
/// this goes past it.
pub fn did_not_run(name: &str, why: &str) {
    report(&format!("{name} {DID_NOT_RUN}: {why}"));
}

fn report(line: &str) {
    io::stderr().write_all(format!("{line}\n").as_bytes()).expect("standard error is open");
}

/// This binary, through the emulator that cargo was told to run tests with, if any.
fn command(name: &str) -> Command {
    let binary = env::current_exe().expect("the test binary has a path");
    let runner = format!("CARGO_TARGET_{}_UNKNOWN_LINUX_GNU_RUNNER", env::consts::ARCH.to_uppercase());
    let runner = env::var(runner).unwrap_or_default();
    let mut words = runner.split_whitespace().map(OsString::from).chain([binary.into()]);
    let mut command = Command::new(words.next().expect("the binary at least"));
    command.args(words).args([name, "--exact", "--test-threads=1", "--nocapture"]).env(MARK, name);
    for variable in ["DCN_NUM_THREADS", "DCN_MAX_ISA", "DCN_VERBOSE"] {
        command.env_remove(variable);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn wait(mut child: Child) -> io::Result<Output> {
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > LIMIT {
            child.kill()?;
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the child hangs"));
        }
        thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output()
}
