//! Problems whose packed weights, or sums, are more than the workspace has room for: what is then done a part at a time
//! is right, keeps to the bound, and has the bits that it has with packed weights given.

mod common;

use common::case::Case;
use common::dtype::Dtype;
use common::effort::{dealt, is_reduced};
use common::problem::Problem;
use common::reference;
use common::report::report;
use common::runner::{self, Plan, Setup, Threads, Workspace};
use common::tensor::Tensor;
use common::verify::compare;
use deformconv::abi::*;
use deformconv::context::Isa;

const THREAD_BYTES: usize = 8 << 20;

/// One image of few positions: large are the weights alone.
fn one_position() -> Case {
    Case { n: 1, h: 3, w: 3, pad_before: [0, 0], pad_after: [0, 0], ..Case::default() }
}

/// Panels of a group, and units of channels, at a time.
fn many_channels() -> Case {
    Case { c: 530, o: 540, ..one_position() }
}

/// Enough work for threads to share it.
fn many_channels_of_many_images() -> Case {
    Case { n: 5, c: 720, o: 730, ..one_position() }
}

/// Groups at a time: each is packed as a panel of its own.
fn many_groups() -> Case {
    Case { c: 60_000, o: 30_000, groups: 30_000, deformable_groups: 2, ..one_position() }
}

/// No panel fits.
fn large_kernel() -> Case {
    Case { c: 4608, o: 3, kernel: [11, 11], h: 11, w: 12, ..one_position() }
}

/// No unit of channels fits; the second has several blocks of taps.
fn many_outputs() -> [Case; 2] {
    let few_taps = Case { c: 16, o: 15_000, ..one_position() };
    let many_taps = Case { c: 16, o: 3_000, kernel: [7, 7], h: 7, w: 8, ..one_position() };
    [few_taps, many_taps]
}

/// Deformable groups that bands of units of channels cut through.
fn depthwise() -> Case {
    let c = 3 * 78_003;
    let (pad_before, pad_after) = ([1, 1], [1, 1]);
    Case { c, o: c, groups: c, deformable_groups: 3, h: 1, w: 2, pad_before, pad_after, ..one_position() }
}

/// Depthwise parts of the output channels that do not start where channels of the copied image do.
fn depthwise_with_a_large_kernel() -> Case {
    Case { c: 960, o: 960, groups: 960, kernel: [49, 49], h: 50, w: 50, ..one_position() }
}

/// Units of channels with many deformable groups each.
fn many_deformable_groups() -> Case {
    Case { c: 4096, o: 3, deformable_groups: 4096, ..one_position() }
}

/// grad_weight is summed up in panels that are mostly padding.
fn narrow_grad_weight() -> Case {
    Case { c: 150_000, o: 300_000, groups: 150_000, kernel: [1, 1], h: 1, w: 2, ..one_position() }
}

fn cases() -> Vec<Case> {
    let mut cases = vec![many_channels(), many_channels().of(Dtype::F64), many_channels().of(Dtype::Bf16)];
    cases.extend([many_channels_of_many_images(), many_groups(), large_kernel()]);
    cases.extend(many_outputs());
    cases.extend([depthwise(), many_deformable_groups(), narrow_grad_weight()]);
    cases
}

/// Says what [`setups`], [`check`] and the tests leave out.
fn report_what_is_left_out() {
    if is_reduced() {
        report(
            "did not run: large weights: every second problem of either pass, one thread, all but one instruction set",
        );
    }
}

/// Without packed weights on one thread, on several, and with packed weights.
fn setups(isa: Isa) -> Vec<Setup> {
    let plain = Setup::plain(isa);
    let several = Setup { threads: Threads::Own(2), workspace: Workspace::Allocator, ..plain };
    let packed = Setup { threads: Threads::Own(3), packed: Some(0), ..plain };
    if is_reduced() { vec![several, packed] } else { vec![plain, several, packed] }
}

/// Runs a pass in all ways; the results of each have the same bits, which the first ones are checked for.
fn check(
    problem: &Problem,
    run: impl Fn(&Setup) -> Vec<(&'static str, Tensor)>,
    right: impl Fn(&str, &Tensor) -> Result<f64, String>,
) {
    let isas = runner::isas().0;
    let isas = if is_reduced() { isas.into_iter().rev().take(1).collect() } else { isas };
    for isa in isas {
        let mut expected: Option<Vec<(&str, Tensor)>> = None;
        for setup in setups(isa) {
            let got = run(&setup);
            let Some(expected) = &expected else {
                for (name, tensor) in &got {
                    right(name, tensor).unwrap_or_else(|wrong| panic!("{setup:?}: {wrong}\n{:?}", problem.case));
                }
                expected = Some(got);
                continue;
            };
            for ((name, expected), (_, got)) in expected.iter().zip(&got) {
                assert!(expected.all_bits() == got.all_bits(), "{name} differs: {setup:?}\n{:?}", problem.case);
            }
        }
    }
}

#[test]
fn forward_is_right_and_has_the_same_bits() {
    runner::isas().1.iter().for_each(|line| report(line));
    report_what_is_left_out();
    for case in dealt(cases(), 0, 2) {
        let problem = Problem::new(&case);
        let expected = reference::forward(&problem);
        let run = |setup: &Setup| vec![("y", runner::forward(&problem, setup).expect("a forward pass"))];
        check(&problem, run, |name, tensor| compare(name, tensor, &expected));
    }
}

#[test]
fn backward_is_right_and_has_the_same_bits() {
    for case in dealt(cases(), 1, 2) {
        let problem = Problem::new(&case);
        let expected = reference::backward(&problem, &problem.gradients().y);
        let run = |setup: &Setup| runner::backward(&problem, setup).expect("a backward pass").into_outputs();
        check(&problem, run, |name, tensor| compare(name, tensor, expected.named(name)));
    }
}

/// Strips of many tiles, for which weights are packed block by block, and bands of many tiles.
#[test]
fn many_positions_have_the_same_bits() {
    if is_reduced() {
        return report("did not run: many_positions_have_the_same_bits: it takes minutes under an emulator");
    }
    let large_kernel = Case { h: 20, w: 24, ..large_kernel() };
    let many_outputs = many_outputs().map(|case| Case { h: 17, w: 18, ..case });
    for case in [Case { h: 12, w: 13, ..many_channels() }, large_kernel].into_iter().chain(many_outputs) {
        let problem = Problem::new(&case);
        let run = |setup: &Setup| {
            let mut outputs = vec![("y", runner::forward(&problem, setup).expect("a forward pass"))];
            outputs.extend(runner::backward(&problem, setup).expect("a backward pass").into_outputs());
            outputs
        };
        check(&problem, run, |_, _| Ok(0.0));
    }
}

/// Groups at a time, of which each samples more of the image than the one before: a copy of x that is made as far as
/// one part of the output channels has sampled is not all there for the next.
#[test]
fn groups_that_reach_further_than_those_before() {
    let large = Case { n: 1, c: 512, h: 34, w: 8, o: 1200, pad_before: [0, 0], pad_after: [0, 0], ..Case::default() };
    let case = Case { stride: [8, 4], groups: 2, deformable_groups: 2, ..large };
    for case in [case.clone(), case.of(Dtype::F16)] {
        let mut problem = Problem::new(&case);
        // All samples of the first group are above the image.
        let offset = problem.offset.copy();
        problem.offset.fill(|index| if index[1] < 2 * case.taps() { -100.0 } else { offset.get(index) });
        let expected = reference::forward(&problem);
        let run = |setup: &Setup| vec![("y", runner::forward(&problem, setup).expect("a forward pass"))];
        check(&problem, run, |name, tensor| compare(name, tensor, &expected));
    }
}

/// x is copied in blocks of channels: what is sampled at a time lies in one of them, whichever part is packed.
#[test]
fn depthwise_parts_do_not_cross_copied_blocks() {
    let case = depthwise_with_a_large_kernel();
    for case in [case.clone(), case.of(Dtype::Bf16)] {
        let problem = Problem::new(&case);
        let expected = reference::forward(&problem);
        let run = |setup: &Setup| vec![("y", runner::forward(&problem, setup).expect("a forward pass"))];
        check(&problem, run, |name, tensor| compare(name, tensor, &expected));
    }
}

/// What the cases are there for: packed weights beyond the bound that the workspace keeps.
#[test]
fn the_workspace_is_smaller_than_the_packed_weights() {
    let both = [DCN_PASS_FORWARD, DCN_PASS_BACKWARD];
    let only = |pass: dcn_pass| vec![pass];
    let cases = [
        (many_channels(), both.to_vec()),
        (many_groups(), only(DCN_PASS_FORWARD)),
        (large_kernel(), only(DCN_PASS_FORWARD)),
        (depthwise(), both.to_vec()),
    ];
    let outputs = many_outputs().map(|case| (case, only(DCN_PASS_BACKWARD)));
    for (case, passes) in cases.into_iter().chain(outputs) {
        let problem = Problem::new(&case);
        for setup in runner::isas().0.into_iter().map(Setup::plain) {
            let plan = Plan::new(&problem, &setup).expect("a plan");
            for &pass in &passes {
                let image = (case.c * case.h * case.w) as usize * size_of::<f32>();
                let weights = problem.weight.dims.iter().product::<i64>() as usize * size_of::<f32>();
                let allowed = match pass {
                    DCN_PASS_FORWARD => THREAD_BYTES + image,
                    _ => THREAD_BYTES + 2 * image + 2 * weights,
                };
                let size = plan.workspace_size(pass).expect("a pass");
                let packed = plan.packed_size(pass).expect("a pass");
                assert!(size <= allowed, "{size} bytes, allowed {allowed}: {setup:?}, pass {pass}\n{case:?}");
                assert!(packed > THREAD_BYTES, "{packed} bytes of packed weights: {setup:?}, pass {pass}\n{case:?}");
            }
        }
    }
}

/// Threads and images of a batch have sums of grad_weight of their own, as far as there is room.
#[test]
fn the_workspace_of_a_batch_keeps_to_the_bound() {
    let one_unit = Case { n: 16, c: 64, o: 64, h: 30, w: 40, ..Case::default() };
    let several = Case { n: 5, c: 512, o: 512, groups: 8, h: 15, w: 20, ..Case::default() };
    for case in [one_unit, several].into_iter().flat_map(|case| [case.clone(), case.of(Dtype::F64)]) {
        let problem = Problem::new(&case);
        let size = if matches!(case.dtype, Dtype::F64) { size_of::<f64>() } else { size_of::<f32>() };
        let image = (case.c * case.h * case.w) as usize * size;
        let weights = problem.weight.dims.iter().product::<i64>() as usize * size;
        for threads in [1, 2, 3, 8, 32] {
            let setup = Setup { threads: Threads::Own(threads), ..Setup::plain(runner::isas().0[0]) };
            let plan = Plan::new(&problem, &setup).expect("a plan");
            let images = (threads as usize).min(case.n as usize);
            let allowed = threads as usize * THREAD_BYTES + images * 2 * image + 2 * weights;
            let size = plan.workspace_size(DCN_PASS_BACKWARD).expect("a pass");
            assert!(size <= allowed, "{size} bytes, allowed {allowed}: {setup:?}\n{case:?}");
        }
    }
}
