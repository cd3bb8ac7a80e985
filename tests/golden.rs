//! What deformconv computes against what other programs computed from the same tensors: torchvision and the ONNX
//! project (`golden/README.md` says how the files came to be). Every case runs with every instruction set of this
//! machine.

#[path = "golden/case.rs"]
mod case;
#[path = "golden/run.rs"]
mod run;
#[path = "golden/terms.rs"]
mod terms;

use case::{Case, Values};
use deformconv::context::Isa;
use std::collections::BTreeMap;
use terms::Terms;

const ONNX_CASES: usize = 4;
const LEAST_TORCHVISION_CASES: usize = 40;

#[test]
fn forward_agrees_with_torchvision() {
    let compared = compare_all(&Case::all("torchvision"), run::forward);
    assert!(compared >= LEAST_TORCHVISION_CASES, "only {compared} cases were compared");
}

#[test]
fn forward_agrees_with_onnx() {
    let compared = compare_all(&Case::all("onnx"), run::forward);
    assert_eq!(compared, ONNX_CASES);
}

#[test]
fn gradients_agree_with_torchvision() {
    let mut cases = Case::all("torchvision");
    cases.retain(|case| case.get("grad_y").is_some());
    let compared = compare_all(&cases, run::backward);
    assert!(compared >= LEAST_TORCHVISION_CASES, "only {compared} cases were compared");
}

type Run = fn(&Case, Isa) -> Result<BTreeMap<&'static str, Values>, run::Refusal>;

/// Compares every result of every case and returns the number of cases; fails with all differences, not the first.
fn compare_all(cases: &[Case], run: Run) -> usize {
    let isas = Isa::ALL.into_iter().filter(|isa| isa.is_available());
    let isas: Vec<Isa> = isas.collect();
    let mut failures = Vec::new();
    for case in cases {
        let terms = terms::terms(case);
        for &isa in &isas {
            match run(case, isa) {
                Ok(results) => failures.extend(results.iter().filter_map(|(&name, got)| {
                    let what = difference(got, &case.tensor(name).values, &terms[name])?;
                    Some(format!("{} on {isa:?}: {name}{what}", case.name))
                })),
                Err(run::Refusal { status, message }) => {
                    failures.push(format!("{} on {isa:?}: status {status}, {message}", case.name));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
    cases.len()
}

/// The element that is furthest beyond the contract's error bound, if any is.
fn difference(got: &Values, expected: &Values, terms: &Terms) -> Option<String> {
    let epsilon = match got {
        Values::F32(_) => f64::from(f32::EPSILON),
        Values::F64(_) => f64::EPSILON,
    };
    assert_eq!(got.len(), expected.len());
    let mut worst = None;
    for (i, (got, expected)) in got.to_f64().into_iter().zip(expected.to_f64()).enumerate() {
        let bound = epsilon * (8.0 + 2.0 * terms.count[i].sqrt()) * terms.magnitude[i];
        let error = (got - expected).abs();
        let excess = if error.is_nan() { f64::INFINITY } else { error - bound };
        if excess > worst.as_ref().map_or(0.0, |&(excess, _)| excess) {
            worst = Some((excess, format!("[{i}] is {got:e}, expected {expected:e} within {bound:e}")));
        }
    }
    worst.map(|(_, what)| what)
}
