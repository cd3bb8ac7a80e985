//! CANN's calls failing, each in turn: the error is told with CANN's number and message, nothing is left behind, and
//! the same call works the next time.

use super::device::Stream;
use super::fake::Fake;
use super::run::{Backward, Forward, Plan, Refusal};
use crate::common::case::Case;
use crate::common::effort::step;
use crate::common::problem::Problem;
use crate::common::runner::all_gradients;
use deformconv::abi::*;

/// Calls of which CANN has no way to undo what came before, or whose failure does not matter: where they fail, an
/// executor may stay behind, or nothing is told.
const CLEANING_UP: [&str; 4] =
    ["aclDestroyTensor", "aclDestroyScalar", "aclSetAclOpExecutorRepeatable", "aclDestroyAclOpExecutor"];

/// Lets the k-th call fail, k after k, until `run` needs fewer calls than that.
fn fail_every_call(fake: &Fake, what: &str, mut run: impl FnMut() -> Result<(), Refusal>) {
    let mut failed = Vec::new();
    for k in (1..).step_by(step()) {
        assert!(k < 3000, "{what}: there is no end of calls");
        // SAFETY: plain calls.
        let left_before = unsafe {
            (fake.functions.fake_fail_call)(k);
            (fake.functions.fake_live_handles)()
        };
        let outcome = run();
        let call = fake.failed_call();
        // SAFETY: plain calls.
        let left = unsafe {
            (fake.functions.fake_fail_call)(0);
            (fake.functions.fake_live_handles)() - left_before
        };
        if call.is_empty() {
            outcome.unwrap();
            break;
        }
        if CLEANING_UP.contains(&call.as_str()) {
            outcome.unwrap_or_else(|refusal| panic!("{what}: call {k}, {call}, which only cleans up: {refusal:?}"));
            let executors = u64::from(call == "aclSetAclOpExecutorRepeatable");
            assert_eq!(left, executors, "{what}: call {k}, {call}, left {left} handles behind");
        } else {
            let refusal = outcome.err().unwrap_or_else(|| panic!("{what}: call {k}, {call}, failed unnoticed"));
            assert_eq!(refusal.status, DCN_ERROR_BACKEND, "{refusal:?}");
            let told = [call.as_str(), "EE9999: injected failure of"];
            assert!(told.iter().all(|part| refusal.message.contains(part)), "{refusal:?}");
            let code = ["returned 507899: ", "returned NULL: "].iter().any(|part| refusal.message.contains(part));
            assert!(code, "{refusal:?}");
            assert_eq!(left, 0, "{what}: call {k}, {call}, left {left} handles behind");
        }
        failed.push(call);
    }
    assert!(failed.len() * step() > 3, "{what}: only {failed:?} were called");
}

fn cases() -> [Case; 2] {
    let plain = Case { n: 1, c: 4, o: 4, h: 3, w: 4, groups: 2, ..Case::default() };
    [plain.clone(), Case { groups: 4, deformable_groups: 2, ..plain }]
}

#[test]
fn of_a_plan() {
    let fake = Fake::take();
    for case in cases() {
        let problem = Problem::new(&case);
        fail_every_call(&fake, "plan", || Plan::new(&problem.descriptor, 0).map(drop));
        assert_eq!(fake.violations(), "");
    }
}

#[test]
fn of_a_forward_run_and_of_packing() {
    let fake = Fake::take();
    for case in cases() {
        let (stream, problem) = (Stream::new(&fake), Problem::new(&case));
        let plan = Plan::new(&problem.descriptor, 0).unwrap();
        let run = Forward::new(&plan, &stream, &problem);
        fail_every_call(&fake, "forward", || plan.forward(&run.args()));
        stream.synchronise();
        let packed = run.inputs.pack(&plan, &stream, DCN_PASS_FORWARD).unwrap();
        fail_every_call(&fake, "packing", || run.inputs.pack_into(&packed, &plan, &stream, DCN_PASS_FORWARD));
        assert_eq!(stream.synchronise(), 0);
        assert_eq!(fake.violations(), "");
    }
}

#[test]
fn of_a_backward_run() {
    let fake = Fake::take();
    for case in cases() {
        let (stream, problem) = (Stream::new(&fake), Problem::new(&case));
        let (plan, gradients) = (Plan::new(&problem.descriptor, 0).unwrap(), problem.gradients());
        let run = Backward::new(&plan, &stream, (&problem, &gradients), (all_gradients(&problem), DCN_GRAD_BIAS));
        fail_every_call(&fake, "backward", || plan.backward(&run.args()));
        assert_eq!(stream.synchronise(), 0);
        assert_eq!(fake.violations(), "");
    }
}

/// What CANN asks for may depend on what is known only later; then there is no room for it.
#[test]
fn of_a_product_that_asks_for_more_workspace_than_it_did() {
    let fake = Fake::take();
    let (stream, problem) = (Stream::new(&fake), Problem::new(&Case::default()));
    let plan = Plan::new(&problem.descriptor, 0).unwrap();
    let run = Forward::new(&plan, &stream, &problem);
    // SAFETY: a plain call.
    unsafe { (fake.functions.fake_set_product_workspace)(1 << 20) };
    let refusal = plan.forward(&run.args()).unwrap_err();
    assert_eq!(refusal.status, DCN_ERROR_BACKEND);
    assert!(refusal.message.starts_with("aclnnMm asks for 10"), "{refusal:?}");
    assert!(refusal.message.ends_with(" as told at plan creation"), "{refusal:?}");
    // SAFETY: a plain call.
    unsafe { (fake.functions.fake_set_product_workspace)(0) };
    plan.forward(&run.args()).unwrap();
    assert_eq!(stream.synchronise(), 0);
    drop((run, stream));
    fake.assert_clean();
}
