//! Order of things: streams, devices, threads, forks.

use super::device::{Buffer, Stream};
use super::fake::Fake;
use super::run::{Backward, Forward, Plan, fetch};
use crate::common::case::Case;
use crate::common::problem::Problem;
use crate::common::reference;
use crate::common::runner::all_gradients;
use crate::common::tensor::Tensor;
use crate::common::verify::compare;
use deformconv::abi::*;
use std::thread;

fn problem(seed: u64) -> Problem {
    Problem::new(&Case { seed, ..Case::default() })
}

/// Copies y home and compares it.
fn assert_y(stream: &Stream, run: &Forward, problem: &Problem) {
    let y: Tensor = problem.y();
    fetch(stream, &run.y, &y);
    compare("y", &y, &reference::forward(problem)).unwrap();
}

#[test]
fn nothing_runs_before_the_stream_is_synchronised() {
    let fake = Fake::take();
    let (stream, problem) = (Stream::new(&fake), problem(1));
    let plan = Plan::new(&problem.descriptor, 0).unwrap();
    let run = Forward::new(&plan, &stream, &problem);
    let gradients = problem.gradients();
    let backward = Backward::new(&plan, &stream, (&problem, &gradients), (all_gradients(&problem), 0));
    let set_up = unsafe {
        (fake.functions.fake_reset)();
        (fake.functions.fake_setup_calls)()
    };
    assert_eq!(set_up, 0);
    plan.forward(&run.args()).unwrap();
    plan.backward(&backward.args()).unwrap();
    // The plan may go before its work is done.
    drop(plan);
    // SAFETY: plain calls.
    unsafe {
        assert_eq!((fake.functions.fake_executed)(), 0, "something has run");
        assert!((fake.functions.fake_pending)() > 8, "nothing waits");
        assert_eq!((fake.functions.fake_setup_calls)(), 0, "devices, streams or memory are the caller's");
    }
    assert_y(&stream, &run, &problem);
    drop((run, backward, stream));
    fake.assert_clean();
}

#[test]
fn two_streams_do_not_order_each_other() {
    let fake = Fake::take();
    let (first, second) = (Stream::new(&fake), Stream::new(&fake));
    let (problem, other) = (problem(1), self::problem(2));
    let plan = Plan::new(&problem.descriptor, 0).unwrap();
    let run = Forward::new(&plan, &first, &problem);
    let other_run = Forward::new(&plan, &second, &other);
    plan.forward(&run.args()).unwrap();
    plan.forward(&other_run.args()).unwrap();
    assert_y(&second, &other_run, &other);
    // SAFETY: a plain call.
    assert!(unsafe { (fake.functions.fake_pending)() } > 0, "the first stream still waits");
    assert_y(&first, &run, &problem);
    drop((run, other_run, first, second));
    fake.assert_clean();
}

#[test]
fn each_device_has_its_plans() {
    let fake = Fake::take();
    let problem = problem(3);
    let on_first = Plan::new(&problem.descriptor, 0).unwrap();
    // SAFETY: a plain call.
    let set = |device| unsafe { assert_eq!((fake.functions.aclrtSetDevice)(device), 0) };
    set(5);
    let on_sixth = Plan::new(&problem.descriptor, 0).unwrap();
    let asked_for = Plan::new(&problem.descriptor, 6).unwrap();
    let refusal = Plan::new(&problem.descriptor, 1).err().expect("device 0 is not current");
    assert_eq!(refusal.status, DCN_ERROR_INVALID_ARGUMENT);
    assert_eq!(
        refusal.message,
        "the calling thread's device is 5, but config->ascend_device = 1 asks for 0 (aclrtSetDevice)"
    );
    for plan in [&on_sixth, &asked_for] {
        let stream = Stream::new(&fake);
        let run = Forward::new(plan, &stream, &problem);
        plan.forward(&run.args()).unwrap();
        assert_y(&stream, &run, &problem);
        let refusal = on_first.forward(&run.args()).unwrap_err();
        assert_eq!(refusal.status, DCN_ERROR_INVALID_ARGUMENT);
        assert_eq!(
            refusal.message,
            "the calling thread's device is 5, but the plan was made for device 0 (aclrtSetDevice)"
        );
    }
    set(0);
    let stream = Stream::new(&fake);
    let run = Forward::new(&on_first, &stream, &problem);
    on_first.forward(&run.args()).unwrap();
    assert_y(&stream, &run, &problem);
    drop((run, stream));
    fake.assert_clean();
}

#[test]
fn threads_share_a_plan() {
    let fake = Fake::take();
    let plan = Plan::new(&problem(0).descriptor, 0).unwrap();
    let functions = fake.functions;
    thread::scope(|scope| {
        for seed in 0..4 {
            let (plan, fake) = (&plan, &fake);
            scope.spawn(move || {
                // SAFETY: a plain call.
                assert_eq!(unsafe { (functions.aclrtSetDevice)(0) }, 0);
                let (stream, problem) = (Stream::new(fake), problem(seed));
                let run = Forward::new(plan, &stream, &problem);
                for _ in 0..3 {
                    plan.forward(&run.args()).unwrap();
                    assert_y(&stream, &run, &problem);
                }
            });
        }
    });
    fake.assert_clean();
}

#[test]
fn a_thread_without_a_device_is_told_so() {
    let fake = Fake::take();
    let problem = problem(1);
    let plan = Plan::new(&problem.descriptor, 0).unwrap();
    let stream = Stream::new(&fake);
    let args = Forward::new(&plan, &stream, &problem).args();
    let args = SendArgs(args);
    let refusals = thread::scope(|scope| {
        let (plan, problem) = (&plan, SendProblem(&problem.descriptor));
        scope
            .spawn(move || {
                let (args, problem) = (args, problem);
                [plan.forward(&args.0).err(), Plan::new(problem.0, 0).err()]
            })
            .join()
            .unwrap()
    });
    for refusal in refusals {
        let refusal = refusal.expect("no device is current");
        assert_eq!(refusal.status, DCN_ERROR_BACKEND);
        let message = "aclrtGetDevice (the caller makes a device current with aclrtSetDevice) returned 107002: \
                       EE1001: aclrtGetDevice: no device is current";
        assert_eq!(refusal.message, message);
    }
}

/// Pointers to device memory mean the same on every thread.
struct SendArgs(dcn_forward_args);
// SAFETY: plain data for this purpose.
unsafe impl Send for SendArgs {}
struct SendProblem<'a>(&'a dcn_problem);
// SAFETY: as above.
unsafe impl Send for SendProblem<'_> {}

#[test]
fn packed_weights_serve_any_plan_with_their_layout() {
    let fake = Fake::take();
    let stream = Stream::new(&fake);
    let (problem, larger) = (problem(1), Problem::new(&Case { n: 3, h: 11, seed: 2, ..Case::default() }));
    let plan = Plan::new(&problem.descriptor, 0).unwrap();
    let other = Plan::new(&larger.descriptor, 0).unwrap();
    assert_eq!(plan.packed_size(DCN_PASS_FORWARD), 5 * 6 * 9 * 4);
    let mut run = Forward::new(&plan, &stream, &problem);
    let packed = run.inputs.pack(&plan, &stream, DCN_PASS_FORWARD).unwrap();
    let mut other_run = Forward::new(&other, &stream, &larger);
    other_run.packed = Some(other_run.inputs.pack(&plan, &stream, DCN_PASS_FORWARD).unwrap());
    run.packed = Some(packed);
    plan.forward(&run.args()).unwrap();
    other.forward(&other_run.args()).unwrap();
    assert_y(&stream, &run, &problem);
    assert_y(&stream, &other_run, &larger);
    let too_small = dcn_forward_args { packed_weight_size: 16, ..run.args() };
    assert_eq!(plan.forward(&too_small).unwrap_err().status, DCN_ERROR_WORKSPACE_TOO_SMALL);
    drop((run, other_run, stream));
    fake.assert_clean();
}

/// CANN's threads do not exist in a child process.
#[test]
fn a_fork_cannot_use_what_was_loaded_before_it() {
    let fake = Fake::take();
    let problem = problem(1);
    let plan = Plan::new(&problem.descriptor, 0).unwrap();
    let stream = Stream::new(&fake);
    let args = Forward::new(&plan, &stream, &problem).args();
    // SAFETY: the child calls the library, which allocates, and leaves; the test harness's other threads wait for their
    // turn or for the terminal, and hold no lock of the allocator's, which glibc resets in the child.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let outcomes = [plan.forward(&args).err(), Plan::new(&problem.descriptor, 0).err()];
        let right = outcomes.iter().all(|refusal| {
            let refused =
                refusal.as_ref().is_some_and(|refusal| refusal.message.starts_with("this process was forked"));
            refused && refusal.as_ref().is_some_and(|refusal| refusal.status == DCN_ERROR_BACKEND)
        });
        // SAFETY: leaves without the harness's destructors.
        unsafe { libc::_exit(if right { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: a child of this process, a writable integer.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0, "the child was not refused as expected");
    let run = Forward::new(&plan, &stream, &problem);
    plan.forward(&run.args()).unwrap();
    assert_y(&stream, &run, &problem);
    drop((run, stream));
    fake.assert_clean();
}

/// The library neither reads nor writes device memory by itself, nor anything outside of the workspace it asked for.
#[test]
fn a_workspace_of_the_exact_size_is_enough() {
    let fake = Fake::take();
    let stream = Stream::new(&fake);
    for case in [
        Case { deformable_groups: 2, groups: 3, o: 6, ..Case::default() },
        Case { n: 1, c: 1, o: 1, ..Case::default() },
    ] {
        let problem = Problem::new(&case);
        let plan = Plan::new(&problem.descriptor, 0).unwrap();
        let run = Forward::new(&plan, &stream, &problem);
        let larger = Buffer::new(&fake, run.workspace.size + 4096);
        plan.forward(&run.args()).unwrap();
        assert_y(&stream, &run, &problem);
        let args = dcn_forward_args { workspace: larger.address, workspace_size: larger.size, ..run.args() };
        plan.forward(&args).unwrap();
        assert_y(&stream, &run, &problem);
    }
    drop(stream);
    fake.assert_clean();
}
