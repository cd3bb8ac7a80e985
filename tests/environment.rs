//! The environment's variables, each test in a process of its own.

#![cfg(target_os = "linux")]

use alone::{alone, did_not_run};
use config::{create, default_config, message};
use deformconv::abi::*;
use deformconv::context::{Context, Isa, Log};
use std::env;
use std::ffi::{OsStr, c_void};
use std::os::unix::ffi::OsStrExt;
use std::thread::available_parallelism;

mod alone;
mod config;

/// Not UTF-8.
const GARBLED: &[u8] = b"\xff2";

fn set(variable: &str, value: impl AsRef<[u8]>) {
    // SAFETY: the test's process has no other thread that reads the environment.
    unsafe { env::set_var(variable, OsStr::from_bytes(value.as_ref())) }
}

fn context(config: &dcn_context_config) -> Context {
    // SAFETY: what callbacks there are can be called.
    unsafe { Context::new(config) }.expect("the configuration is accepted")
}

fn concurrency(num_threads: i32) -> usize {
    context(&dcn_context_config { num_threads, ..default_config() }).threads.concurrency()
}

fn assert_refused(config: &dcn_context_config, status: dcn_status, text: &str) {
    assert_eq!(create(config), status, "{text}");
    assert!(message().contains(text), "{text}: {}", message());
}

unsafe extern "C" fn parallel_for(
    _ctx: *mut c_void,
    _n: usize,
    _task: Option<unsafe extern "C" fn(arg: *mut c_void, i: usize)>,
    _arg: *mut c_void,
) -> i32 {
    0
}

#[test]
fn num_threads_is_a_cap_of_the_default() {
    alone("num_threads_is_a_cap_of_the_default", || {
        let all = available_parallelism().expect("Linux tells").get();
        assert_eq!(concurrency(0), all);
        for cap in [1, 2, 3, 1000, usize::MAX] {
            set("DCN_NUM_THREADS", cap.to_string());
            assert_eq!(concurrency(0), all.min(cap));
            // What is configured explicitly wins.
            assert_eq!(concurrency(5), 5);
        }
        set("DCN_NUM_THREADS", " 1 ");
        assert_eq!(concurrency(0), 1);
        set("DCN_NUM_THREADS", "");
        assert_eq!(concurrency(0), all);
        if all == 1 {
            did_not_run("num_threads_is_a_cap_of_the_default", "there is one processor only, caps made no difference");
        }
    });
}

#[test]
fn num_threads_that_is_no_count_is_refused() {
    alone("num_threads_that_is_no_count_is_refused", || {
        let wrong: [&[u8]; 9] = [b"0", b"-1", b"two", b"1.5", b"1,2", b" ", b"0x2", b"99999999999999999999", GARBLED];
        for value in wrong {
            set("DCN_NUM_THREADS", value);
            let text = format!("environment variable DCN_NUM_THREADS is \"{}\"", String::from_utf8_lossy(value));
            assert_refused(&default_config(), DCN_ERROR_INVALID_ARGUMENT, &text);
            // It is not read where it has no say.
            assert_eq!(concurrency(2), 2);
            let mut config = default_config();
            config.executor.parallel_for = Some(parallel_for);
            assert_eq!(context(&config).threads.concurrency(), 1);
        }
    });
}

#[test]
fn max_isa_is_a_cap_unless_one_is_configured() {
    alone("max_isa_is_a_cap_unless_one_is_configured", || {
        let best = context(&default_config()).isa;
        set("DCN_MAX_ISA", "");
        assert_eq!(context(&default_config()).isa, best);
        for isa in Isa::ALL {
            set("DCN_MAX_ISA", isa.name().to_bytes());
            let mut config = default_config();
            if isa == Isa::Scalar || isa.is_available() {
                assert_eq!(context(&config).isa, isa);
            }
            config.max_isa = c"scalar".as_ptr();
            assert_eq!(context(&config).isa, Isa::Scalar);
        }
        set("DCN_MAX_ISA", "scalar");
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            let config = dcn_context_config { max_isa: isa.name().as_ptr(), ..default_config() };
            assert_eq!(context(&config).isa, isa);
        }
    });
}

#[test]
fn max_isa_that_is_none_is_refused() {
    alone("max_isa_that_is_none_is_refused", || {
        for value in [b"sse2".as_slice(), b"AVX2", b"avx2 ", b"0", GARBLED] {
            set("DCN_MAX_ISA", value);
            let text = format!("environment variable DCN_MAX_ISA is \"{}\"", String::from_utf8_lossy(value));
            assert_refused(&default_config(), DCN_ERROR_INVALID_ARGUMENT, &text);
        }
        set("DCN_MAX_ISA", if cfg!(target_arch = "x86_64") { "neon" } else { "avx2" });
        assert_refused(&default_config(), DCN_ERROR_UNSUPPORTED, "not an instruction set of this architecture");
    });
}

const LEVELS: [i32; 4] = [DCN_LOG_ERROR, DCN_LOG_CHECK, DCN_LOG_DISPATCH, DCN_LOG_PROFILE];

#[test]
fn verbose_chooses_the_levels() {
    alone("verbose_chooses_the_levels", || {
        unsafe extern "C" fn ignore(_ctx: *mut c_void, _level: i32, _text: *const std::ffi::c_char) {}
        let silent = default_config().logger;
        let logger = dcn_logger { log: Some(ignore), ..silent };
        // SAFETY: the callback is callable.
        let wanted = |logger| unsafe { Log::new(logger) }.map(|log| LEVELS.map(|level| log.wants(level)));
        assert_eq!(wanted(&silent), Ok([false; 4]));
        assert_eq!(wanted(&logger), Ok([true; 4]));
        let choices: [(&[u8], [bool; 4]); 12] = [
            (b"", [false; 4]),
            (b"0", [false; 4]),
            (b"all", [true; 4]),
            (b"error", [true, false, false, false]),
            (b"check", [false, true, false, false]),
            (b"dispatch", [false, false, true, false]),
            (b"profile", [false, false, false, true]),
            (b"error,profile", [true, false, false, true]),
            (b" dispatch , check ", [false, true, true, false]),
            (b"errors,checkcheck", [false; 4]),
            (b"loud,error", [true, false, false, false]),
            (b"\xff,error", [true, false, false, false]),
        ];
        for (value, expected) in choices {
            set("DCN_VERBOSE", value);
            assert_eq!(wanted(&silent), Ok(expected), "{value:?}");
            assert_eq!(wanted(&logger), Ok(expected), "{value:?}");
        }
    });
}

#[test]
fn lines_go_to_standard_error() {
    let output = alone("lines_go_to_standard_error", || {
        set("DCN_VERBOSE", "error,dispatch");
        let log = context(&default_config()).log;
        LEVELS.into_iter().for_each(|level| log.line(level, || format!("line,{level}")));
        break_standard_error();
        log.line(DCN_LOG_ERROR, || "lost".into());
    });
    if let Some(output) = output {
        let lines = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<_> = lines.lines().filter(|line| line.starts_with("deformconv,")).collect();
        assert_eq!(lines, ["deformconv,error,line,1", "deformconv,dispatch,line,3"]);
    }
}

#[test]
fn unknown_words_of_verbose_are_named() {
    let output = alone("unknown_words_of_verbose_are_named", || {
        let known: [&[u8]; 6] = [b"", b"0", b"all", b" check , profile", b",dispatch,", b"0,error"];
        let unknown: [&[u8]; 4] = [b"errors", b"1, check,loud", b"All,error\n", GARBLED];
        for value in known.into_iter().chain(unknown) {
            set("DCN_VERBOSE", value);
            context(&default_config());
        }
    });
    if let Some(output) = output {
        let lines = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<_> = lines.lines().filter(|line| line.starts_with("deformconv,")).collect();
        let expected = ["errors", "1,loud", "All", "\u{fffd}2"].map(|words| {
            let known = "words of error, check, dispatch, profile, all, 0";
            format!("deformconv,error,context,environment variable DCN_VERBOSE has \"{words}\", expected {known}")
        });
        assert_eq!(lines, expected);
    }
}

/// Makes writes to standard error fail: a pipe that nobody reads.
fn break_standard_error() {
    let mut ends = [0; 2];
    // SAFETY: there is room for two descriptors; nothing of this process relies on its standard error.
    unsafe {
        assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
        assert_eq!(libc::close(ends[0]), 0);
        assert_eq!(libc::dup2(ends[1], libc::STDERR_FILENO), libc::STDERR_FILENO);
    }
}
