//! Which threads a context has: when they start, that they end, and what a fork does to them. Each test is a process.

#![cfg(target_os = "linux")]

use alone::{alone, did_not_run};
use deformconv::exec::Threads;
use std::fs;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};
use teams::*;

mod alone;
mod teams;

/// Names of the threads of this process. One that was joined may still be listed for a moment.
fn names() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("proc is mounted");
    let name = |path: &std::path::Path| fs::read_to_string(path.join("comm")).ok().map(|name| name.trim().to_owned());
    tasks.filter_map(|task| name(&task.expect("a directory entry").path())).collect()
}

/// Waits until the threads are as expected, and fails if that does not happen soon.
fn await_names(expected: impl Fn(&[String]) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !expected(&names()) {
        assert!(Instant::now() < deadline, "the threads are {:?}", names());
        thread::sleep(Duration::from_millis(1));
    }
}

fn await_count(expected: usize) {
    await_names(|names| names.len() == expected);
}

/// Counts the library's threads alone: in a fork, an emulator's own come and go.
fn await_library_threads(expected: usize) {
    // A thread names itself when it first runs.
    await_names(|names| names.iter().filter(|name| name.starts_with("deformconv-")).count() == expected);
}

fn check(threads: &Threads) {
    let n = threads.concurrency();
    assert_eq!(threads.enter(true, |team| Ok(run_counting(team, n))), Ok((Ok(()), once_each(n))));
}

#[test]
fn one_thread_or_an_executor_starts_none() {
    alone("one_thread_or_an_executor_starts_none", || {
        let before = names();
        let executor = serial();
        for threads in [own(1), executor.threads(1), executor.threads(64)] {
            assert_eq!(names(), before);
            check(&threads);
            assert_eq!(names(), before);
        }
    });
}

#[test]
fn one_allowed_processor_starts_none() {
    alone("one_allowed_processor_starts_none", || {
        allow_processors(1);
        let before = names();
        let threads = own(0);
        assert_eq!(threads.concurrency(), 1);
        check(&threads);
        assert_eq!(names(), before);
    });
}

#[test]
fn the_default_is_one_thread_for_each_allowed_processor() {
    alone("the_default_is_one_thread_for_each_allowed_processor", || {
        if allow_processors(2) < 2 {
            return did_not_run("the_default_is_one_thread_for_each_allowed_processor", "there is one processor only");
        }
        let before = names().len();
        let threads = own(0);
        assert_eq!(threads.concurrency(), 2);
        await_count(before + 2);
    });
}

/// Restricts this thread and those it starts to its first few processors; returns how many it has then.
fn allow_processors(most: usize) -> usize {
    let size = size_of::<libc::cpu_set_t>();
    let mut set = MaybeUninit::zeroed();
    // SAFETY: the set has the size given, and all zero is an empty one.
    let (had, mut allowed): (libc::cpu_set_t, libc::cpu_set_t) = unsafe {
        assert_eq!(libc::sched_getaffinity(0, size, set.as_mut_ptr()), 0);
        (set.assume_init(), MaybeUninit::zeroed().assume_init())
    };
    // SAFETY: indices are below CPU_SETSIZE.
    let processors = (0..libc::CPU_SETSIZE as usize).filter(|&i| unsafe { libc::CPU_ISSET(i, &had) }).take(most);
    // SAFETY: as above.
    let count = processors.map(|i| unsafe { libc::CPU_SET(i, &mut allowed) }).count();
    // SAFETY: the set has the size given.
    assert_eq!(unsafe { libc::sched_setaffinity(0, size, &allowed) }, 0);
    count
}

#[test]
fn a_pool_starts_its_threads_at_once_and_joins_them() {
    alone("a_pool_starts_its_threads_at_once_and_joins_them", || {
        let before = names();
        for size in [2, 3, 8] {
            let threads = own(size as i32);
            await_count(before.len() + size);
            (0..3).for_each(|_| check(&threads));
            assert_eq!(names().len(), before.len() + size);
            await_library_threads(size);
            drop(threads);
            await_count(before.len());
        }
        let several = [own(2), own(3)];
        await_count(before.len() + 5);
        several.iter().for_each(check);
        drop(several);
        await_count(before.len());
    });
}

#[test]
fn threads_have_ended_when_their_pool_is_dropped() {
    alone("threads_have_ended_when_their_pool_is_dropped", || {
        static ENDED: AtomicUsize = AtomicUsize::new(0);
        struct AtEnd;
        impl Drop for AtEnd {
            fn drop(&mut self) {
                thread::sleep(Duration::from_millis(50));
                ENDED.fetch_add(1, SeqCst);
            }
        }
        thread_local!(static AT_END: AtEnd = const { AtEnd });

        let threads = own(3);
        let arrived = AtomicUsize::new(0);
        let mark_each_thread = |_| {
            AT_END.with(|_| arrived.fetch_add(1, SeqCst));
            while arrived.load(SeqCst) < 3 {
                thread::yield_now();
            }
        };
        assert_eq!(threads.enter(true, |team| team.run(3, &mark_each_thread)), Ok(()));
        drop(threads);
        assert_eq!(ENDED.load(SeqCst), 3);
    });
}

#[test]
fn a_thread_that_cannot_start_is_out_of_memory() {
    alone("a_thread_that_cannot_start_is_out_of_memory", || {
        let before = names().len();
        let page = 4096;
        let statm = fs::read_to_string("/proc/self/statm").expect("proc is mounted");
        let used: u64 = statm.split(' ').next().and_then(|pages| pages.parse().ok()).expect("a number of pages");
        let limit = used * page + (512 << 20);
        let unlimited = limit_address_space(limit);
        if limit_address_space(limit) != limit {
            return did_not_run("a_thread_that_cannot_start_is_out_of_memory", "an emulator ignores the limit");
        }
        // SAFETY: there is no callback.
        let refused = unsafe { Threads::new(&NO_EXECUTOR, 4096) };
        limit_address_space(unlimited);
        let error = refused.map(drop).expect_err("4096 stacks do not fit");
        assert_eq!(error.status, deformconv::abi::DCN_ERROR_OUT_OF_MEMORY);
        assert!(error.message.contains("of 4096 failed"), "{}", error.message);
        // Those that did start have ended, and nothing else was spoilt.
        await_count(before);
        check(&own(3));
    });
}

/// Returns the limit there was.
fn limit_address_space(bytes: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the struct is this function's own.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) }, 0);
    let had = std::mem::replace(&mut limit.rlim_cur, bytes);
    // SAFETY: as above.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
    had
}

/// Runs `f` in a fork of this process and fails if it panics there or does not end.
fn in_fork(f: impl FnOnce()) {
    // SAFETY: this process has no thread of its own but the calling one and idle threads of pools, which is what the
    // library asks for; the child ends with _exit.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork failed");
    if pid == 0 {
        let code = i32::from(catch_unwind(AssertUnwindSafe(f)).is_err());
        // SAFETY: ends the child without running what belongs to the parent.
        unsafe { libc::_exit(code) };
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut status = 0;
    // SAFETY: `status` is writable and `pid` this process's child.
    while unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG) } == 0 {
        if Instant::now() > deadline {
            // SAFETY: as above.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            panic!("the child hangs");
        }
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(status, 0, "the child failed");
}

#[test]
fn a_pool_works_in_the_child_of_a_fork() {
    alone("a_pool_works_in_the_child_of_a_fork", || {
        let before = names().len();
        let threads = own(3);
        for _ in 0..3 {
            check(&threads);
            in_fork(|| {
                await_library_threads(0);
                (0..5).for_each(|_| check(&threads));
                await_library_threads(3);
                // And in the child of the child.
                in_fork(|| check(&threads));
                check(&threads);
            });
        }
        check(&threads);
        drop(threads);
        await_count(before);
    });
}

#[test]
fn several_threads_of_a_child_may_call_at_once() {
    alone("several_threads_of_a_child_may_call_at_once", || {
        let threads = own(3);
        check(&threads);
        in_fork(|| {
            thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(|| check(&threads)))));
            await_library_threads(3);
        });
    });
}

#[test]
fn a_child_may_destroy_what_it_inherited_and_what_it_made() {
    alone("a_child_may_destroy_what_it_inherited_and_what_it_made", || {
        for use_in_child in [false, true] {
            let mut threads = Some(own(2));
            check(threads.as_ref().expect("just made"));
            in_fork(|| {
                let inherited = threads.take().expect("just made");
                if use_in_child {
                    check(&inherited);
                }
                drop(inherited);
                await_library_threads(0);
                check(&own(2));
                await_library_threads(0);
            });
            check(threads.as_ref().expect("the parent's own"));
        }
    });
}

#[test]
fn a_pool_that_cannot_be_started_anew_is_out_of_memory() {
    alone("a_pool_that_cannot_be_started_anew_is_out_of_memory", || {
        let threads = own(512);
        check(&threads);
        in_fork(|| {
            // The stacks of the parent's threads are kept by the C library and would serve again, so the limit is on
            // processes, which needs a user who is bound by it.
            let none = libc::rlimit { rlim_cur: 1, rlim_max: 1 };
            // SAFETY: plain system calls.
            let bound = unsafe {
                assert_eq!(libc::setrlimit(libc::RLIMIT_NPROC, &none), 0);
                libc::getuid() != 0 || libc::setuid(12_345) == 0
            };
            if !bound {
                let why = "the superuser is not bound by limits and cannot become another user here";
                return did_not_run("a_pool_that_cannot_be_started_anew_is_out_of_memory", why);
            }
            for _ in 0..2 {
                let error = threads.enter(true, |_| Ok(())).expect_err("no thread may start");
                assert_eq!(error.status, deformconv::abi::DCN_ERROR_OUT_OF_MEMORY);
            }
            // Without threads it goes on.
            assert_eq!(threads.enter(false, |team| Ok(run_counting(team, 1))), Ok((Ok(()), once_each(1))));
        });
    });
}
