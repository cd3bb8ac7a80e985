//! However a host's executor behaves, no task runs twice and no freed memory is touched.

use alone::alone;
use deformconv::abi::*;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use teams::*;

mod alone;
mod teams;

/// Runs 4 tasks on an executor that behaves so: the status and message, and how often each task ran.
fn with_behaviour(behaviour: impl Fn(usize, Work) -> i32 + Sync + 'static) -> (dcn_status, String, Vec<usize>) {
    let executor = Executor::new(behaviour);
    let threads = executor.threads(4);
    let (outcome, ran) = threads.enter(true, |team| Ok(run_counting(team, 4))).expect("the body succeeds");
    let (status, message) = outcome.map_or_else(|e| (e.status, e.message), |()| (DCN_OK, String::new()));
    (status, message, ran)
}

#[test]
fn a_failing_executor_is_reported_with_its_number() {
    let (status, message, ran) = with_behaviour(|_, _| -17);
    assert_eq!((status, ran), (DCN_ERROR_EXECUTOR, vec![0; 5]));
    assert!(message.contains("parallel_for returned -17"), "{message}");

    let all_and_fail = |n, work: Work| {
        (0..n).for_each(|i| work.run(i));
        5
    };
    let (status, message, ran) = with_behaviour(all_and_fail);
    assert_eq!((status, ran), (DCN_ERROR_EXECUTOR, once_each(4)));
    assert!(message.contains("parallel_for returned 5"), "{message}");
}

#[test]
fn an_executor_that_miscounts_is_reported_and_no_task_runs_twice() {
    let wrong: [&[usize]; 9] = [
        &[],              // nothing
        &[0, 1, 3],       // skips one
        &[0, 1, 1, 2, 3], // repeats one
        &[0, 1, 1, 3],    // repeats one instead of another
        &[0, 0, 3, 3],    // the same sum as 0..4
        &[1, 2, 3, 4],    // counts from 1
        &[0, 1, 2, 3, 4], // one too many
        &[0, 1, 2, 1 << 63, usize::MAX],
        &[0, 1, 2, usize::MAX],
    ];
    for indices in wrong {
        let (status, message, ran) = with_behaviour(|_, work| {
            indices.iter().for_each(|&i| work.run(i));
            0
        });
        assert_eq!(status, DCN_ERROR_EXECUTOR, "{indices:?}");
        assert!(message.starts_with("config->executor.parallel_for "), "{indices:?}: {message}");
        assert!(ran[..4].iter().all(|&times| times <= 1) && ran[4] == 0, "{indices:?}: {ran:?}");
    }
}

#[test]
fn the_message_tells_how_many_calls_there_were() {
    for calls in [3, 5] {
        let (status, message, _) = with_behaviour(move |_, work| {
            (0..calls).for_each(|i| work.run(i));
            0
        });
        assert_eq!(status, DCN_ERROR_EXECUTOR);
        assert!(message.contains(&format!("after {calls} calls of the task, expected 4")), "{message}");
    }
}

#[test]
fn a_task_after_the_call_does_nothing() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = kept.clone();
    let executor = Executor::new(move |n, work| {
        keep.lock().unwrap().push(work);
        (0..n).for_each(|i| work.run(i));
        0
    });
    let threads = executor.threads(2);
    let ran = AtomicUsize::new(0);
    let count = |_| _ = ran.fetch_add(1, SeqCst);
    let late = |expected: usize| {
        kept.lock().unwrap().iter().for_each(|work| work.run(0));
        assert_eq!(ran.load(SeqCst), expected);
    };
    for round in 1..=3 {
        assert_eq!(threads.enter(true, |team| team.run(2, &count)), Ok(()));
        late(2 * round);
    }
    // Nor do the old ones while a later call is under way, in the same place.
    let kept_by_then = kept.clone();
    let executor = Executor::new(move |n, work| {
        kept_by_then.lock().unwrap().iter().for_each(|work| work.run(0));
        (0..n).for_each(|i| work.run(i));
        0
    });
    assert_eq!(executor.threads(2).enter(true, |team| team.run(2, &count)), Ok(()));
    drop(threads);
    late(8);
}

#[test]
fn an_executor_that_returns_too_early_is_waited_for() {
    within(SOON, || {
        let inside = Arc::new(AtomicBool::new(false));
        let seen = inside.clone();
        let executor = Executor::new(move |_, work| {
            drop(thread::spawn(move || work.run(0)));
            while !seen.load(SeqCst) {
                thread::yield_now();
            }
            0
        });
        let finished = AtomicBool::new(false);
        let slow = |_| {
            inside.store(true, SeqCst);
            thread::sleep(Duration::from_millis(100));
            finished.store(true, SeqCst);
        };
        let outcome = executor.threads(1).enter(true, |team| team.run(1, &slow));
        assert_eq!((outcome, finished.into_inner()), (Ok(()), true));
    });
}

#[test]
fn more_calls_at_once_than_handles_work() {
    const CALLS: usize = 300;
    // Alone, as it takes all handles of the process.
    alone("more_calls_at_once_than_handles_work", || {
        // Calls that got a handle wait in the executor until all others have either got one or run their task.
        let arrived = Arc::new(AtomicUsize::new(0));
        let seen = arrived.clone();
        let executor = Executor::new(move |n, work| {
            seen.fetch_add(1, SeqCst);
            while seen.load(SeqCst) < CALLS {
                thread::sleep(Duration::from_millis(1));
            }
            (0..n).for_each(|i| work.run(i));
            0
        });
        let threads = executor.threads(1);
        let ran = AtomicUsize::new(0);
        let task = |_| {
            ran.fetch_add(1, SeqCst);
            arrived.fetch_add(1, SeqCst);
        };
        thread::scope(|scope| {
            for _ in 0..CALLS {
                scope.spawn(|| assert_eq!(threads.enter(true, |team| team.run(1, &task)), Ok(())));
            }
        });
        assert_eq!(ran.into_inner(), CALLS);
        assert!(executor.calls.load(SeqCst) < CALLS);
    });
}
