//! Tasks run once each, whoever runs them.

use deformconv::abi::*;
use deformconv::error::{Error, Result};
use deformconv::exec::{Team, Threads};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};
use teams::*;

mod allocations;
mod teams;

/// Every n that the team takes, twice, within one entry and in many.
fn check_every_n(threads: &Threads) {
    let check = |team: &Team| {
        assert_eq!(team.size(), threads.concurrency());
        for n in (0..=team.size()).chain(0..=team.size()) {
            assert_eq!(run_counting(team, n), (Ok(()), once_each(n)));
        }
        Ok(())
    };
    assert_eq!(threads.enter(true, check), Ok(()));
    for n in 0..=threads.concurrency() {
        assert_eq!(threads.enter(true, |team| Ok(run_counting(team, n))), Ok((Ok(()), once_each(n))));
    }
}

#[test]
fn own_threads_run_each_index_once() {
    within(SOON, || {
        for num_threads in [0, 1, 2, 3, 4, 7, 16] {
            let threads = own(num_threads);
            if num_threads > 0 {
                assert_eq!(threads.concurrency(), num_threads as usize);
            }
            check_every_n(&threads);
        }
    });
}

#[test]
fn executors_run_each_index_once() {
    within(SOON, || {
        for executor in [serial(), reversed(), concurrent()] {
            for concurrency in [0, 1, 2, 3, 33] {
                let threads = executor.threads(concurrency);
                assert_eq!(threads.concurrency(), concurrency.max(1) as usize);
                check_every_n(&threads);
            }
            assert_ne!(executor.calls.load(SeqCst), 0);
        }
    });
}

#[test]
fn tasks_of_a_pool_run_at_once() {
    within(SOON, || {
        for num_threads in [2, 5] {
            let arrived = AtomicUsize::new(0);
            let meet = |_| {
                arrived.fetch_add(1, SeqCst);
                while arrived.load(SeqCst) < num_threads {
                    thread::yield_now();
                }
            };
            assert_eq!(own(num_threads as i32).enter(true, |team| team.run(num_threads, &meet)), Ok(()));
        }
    });
}

#[test]
fn not_parallel_stays_on_the_calling_thread() {
    let executor = serial();
    for threads in [own(1), own(3), executor.threads(4)] {
        let caller = thread::current().id();
        let elsewhere = AtomicUsize::new(0);
        let outcome = threads.enter(false, |team| {
            assert_eq!((team.size(), thread::current().id()), (1, caller));
            team.run(1, &|_| _ = elsewhere.fetch_add((thread::current().id() != caller).into(), SeqCst))
        });
        assert_eq!((outcome, elsewhere.into_inner()), (Ok(()), 0));
    }
    assert_eq!(executor.calls.load(SeqCst), 0);
}

#[test]
fn more_tasks_than_the_team_has_members_are_refused() {
    let executor = serial();
    for threads in [own(1), own(2), executor.threads(2)] {
        let n = threads.concurrency() + 1;
        let (outcome, ran) = threads.enter(true, |team| Ok(run_counting(team, n))).expect("the body succeeds");
        assert_eq!(outcome.map_err(|error| error.status), Err(DCN_ERROR_INTERNAL));
        assert_eq!(ran, vec![0; n + 1]);
    }
}

#[test]
fn an_error_of_the_body_comes_out() {
    let error = Error::shape("as it is");
    let executor = serial();
    for threads in [own(1), own(2), executor.threads(2)] {
        assert_eq!(threads.enter::<()>(true, |_| Err(error.clone())), Err(error.clone()));
    }
}

#[test]
fn a_panicking_task_is_an_internal_error_and_the_next_call_works() {
    within(SOON, || {
        let executors = [serial(), concurrent()];
        for threads in [own(1), own(3), executors[0].threads(3), executors[1].threads(3)] {
            let n = threads.concurrency();
            let ran = AtomicUsize::new(0);
            let task = |i: usize| {
                ran.fetch_add(1, SeqCst);
                assert!(i != n - 1, "the last task panics");
            };
            let error = threads.enter(true, |team| team.run(n, &task)).expect_err("a task panicked");
            assert_eq!((error.status, ran.into_inner()), (DCN_ERROR_INTERNAL, n));
            assert!(error.message.contains("the last task panics"), "{}", error.message);
            check_every_n(&threads);
        }
    });
}

#[test]
fn a_panicking_body_reaches_the_caller_and_the_next_call_works() {
    within(SOON, || {
        let executor = serial();
        for threads in [own(1), own(3), executor.threads(3)] {
            let body = |_: &Team| -> Result<()> { panic!("the body panics") };
            let payload = catch_unwind(AssertUnwindSafe(|| threads.enter(true, body))).expect_err("it panics");
            assert_eq!(payload.downcast_ref(), Some(&"the body panics"));
            check_every_n(&threads);
        }
    });
}

#[test]
fn many_host_threads_at_once() {
    within(SOON, || {
        let executor = concurrent();
        for threads in [own(1), own(2), own(4), executor.threads(2)] {
            let n = threads.concurrency();
            let deadline = Instant::now() + Duration::from_secs(2);
            let work = || {
                for _ in 0..50 {
                    let body = |team: &Team| Ok([run_counting(team, n), run_counting(team, n)]);
                    let outcome = threads.enter(true, body).expect("the body succeeds");
                    outcome.into_iter().for_each(|phase| assert_eq!(phase, (Ok(()), once_each(n))));
                    if Instant::now() > deadline {
                        break;
                    }
                }
            };
            thread::scope(|scope| (0..40).for_each(|_| drop(scope.spawn(work))));
        }
    });
}

#[test]
fn the_caller_and_an_executor_allocate_nothing() {
    let executor = serial();
    for (threads, parallel) in [(own(1), true), (own(2), false), (executor.threads(4), true)] {
        let sum = AtomicUsize::new(0);
        let n = if parallel { threads.concurrency() } else { 1 };
        let before = allocations::of_this_thread();
        let outcome = threads.enter(parallel, |team| team.run(n, &|i| _ = sum.fetch_add(i + 1, SeqCst)));
        assert_eq!(allocations::of_this_thread() - before, 0);
        assert_eq!((outcome, sum.into_inner()), (Ok(()), n * (n + 1) / 2));
    }
}
