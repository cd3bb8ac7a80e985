//! Every rule on descriptors: the status and what the message says.

mod extents;
mod shapes;
mod values;

use crate::fixture::*;
use deformconv::abi::*;
use deformconv::error::Error;
use deformconv::problem::Problem;

type Change = fn(&mut dcn_problem);

fn refusal(base: dcn_problem, change: impl Fn(&mut dcn_problem)) -> Error {
    Problem::new(&base).expect("the fixture is valid");
    let mut p = base;
    change(&mut p);
    Problem::new(&p).expect_err("the change breaks a rule")
}

#[track_caller]
fn check(base: fn() -> dcn_problem, status: dcn_status, rules: &[(Change, &str)]) {
    for (i, (change, message)) in rules.iter().enumerate() {
        let error = refusal(base(), change);
        assert_eq!((error.status, error.message.as_str()), (status, *message), "rule {i}");
    }
}
