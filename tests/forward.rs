//! The forward pass against the operator's definition: random problems and named ones, every instruction set, 1 to 8
//! threads, the host's or the library's own, with and without the caller's workspace and packed weights.

mod common;

use common::case::{Case, Layouts};
use common::dtype::Dtype;
use common::effort::is_reduced;
use common::layout::Layout;
use common::named_problems;
use common::problem::{self, Problem};
use common::reference;
use common::report::report;
use common::runner::{self, Plan, Setup};
use common::strategy::{case, for_all, large_case, setup};
use common::values::Offsets;
use common::verify::{Worst, compare};
use deformconv::cpu::kernels::HasKernels;
use deformconv::plan::forward::ForwardPlan;

/// Runs a problem in some ways on every instruction set and by the direct implementation, and compares.
fn check(case: &Case, setups: &[Setup], worst: &Worst) -> Result<(), String> {
    let problem = Problem::new(case);
    let expected = reference::forward(&problem);
    for setup in setups.iter().flat_map(|setup| setup.everywhere(case)) {
        let got = runner::forward(&problem, &setup).map_err(|refusal| format!("{setup:?}: {refusal:?}"))?;
        let ratio = compare("y", &got, &expected).map_err(|message| format!("{setup:?}: {message}"))?;
        worst.add(case.dtype, ratio);
    }
    Ok(())
}

fn random_problems(dtype: Dtype, cases: u32) {
    runner::isas().1.iter().for_each(|line| report(line));
    let worst = Worst::default();
    for_all(cases, (case(dtype), setup()), |(case, setup)| check(&case, &[setup], &worst));
    worst.lines().iter().for_each(|line| report(&format!("random problems: {line}")));
}

/// Large enough for threads to share the work.
fn large_random_problems(dtype: Dtype, cases: u32) {
    let worst = Worst::default();
    for_all(cases, (large_case(dtype), setup()), |(case, setup)| check(&case, &[setup], &worst));
    worst.lines().iter().for_each(|line| report(&format!("large random problems: {line}")));
}

#[test]
fn random_problems_in_f32() {
    random_problems(Dtype::F32, 600);
}

#[test]
fn random_problems_in_f64() {
    random_problems(Dtype::F64, 300);
}

#[test]
fn large_random_problems_in_f32() {
    large_random_problems(Dtype::F32, 20);
}

#[test]
fn large_random_problems_in_f64() {
    large_random_problems(Dtype::F64, 6);
}

#[test]
fn random_problems_in_halves() {
    random_problems(Dtype::F16, 200);
    random_problems(Dtype::Bf16, 200);
}

#[test]
fn large_random_problems_in_halves() {
    large_random_problems(Dtype::F16, 5);
    large_random_problems(Dtype::Bf16, 5);
}

fn named(name: &str, case: Case) {
    named_problems::in_every_type(name, case, check);
}

#[test]
fn offsets_on_borders_and_beyond() {
    named_problems::offsets_on_borders_and_beyond(named);
}

#[test]
fn masks_of_every_kind() {
    named_problems::masks_of_every_kind(named);
}

#[test]
fn no_images() {
    named_problems::no_images(named);
}

#[test]
fn images_of_one_pixel() {
    let case = Case { h: 1, w: 1, offsets: Offsets::Edges, ..Case::default() };
    named("1x1 image", case.clone());
    named("1x1 image, 1x1 kernel", Case { kernel: [1, 1], pad_before: [0, 0], pad_after: [0, 0], ..case });
}

#[test]
fn kernel_larger_than_the_image() {
    named_problems::kernel_larger_than_the_image(named);
}

#[test]
fn kernel_of_32768_columns() {
    named_problems::kernel_of_32768_columns(named);
    // As far as f32 coordinates go: 2^24 columns of padded image.
    let far = [(1 << 24) - 3 - 8_000_000, 8_000_000];
    let padded = Case { pad_before: [0, far[0]], pad_after: [0, far[1]], ..named_problems::wide_kernel() };
    named("32768 columns, dilated to 2^24", Case { dilation: [1, 511], stride: [1, 20_000], ..padded });
}

#[test]
fn kernel_of_32768_rows() {
    let tall = Case { n: 1, c: 1, h: 3, w: 1, o: 1, kernel: [32768, 1], has_mask: true, ..Case::default() };
    named("32768 rows", Case { pad_before: [16384, 0], pad_after: [16384, 0], offsets: Offsets::Anywhere, ..tall });
}

#[test]
fn sums_of_more_than_65536_terms() {
    let case = Case { n: 1, c: 1, h: 20, w: 20, o: 2, kernel: [300, 300], has_mask: false, ..Case::default() };
    let case = Case { pad_before: [140, 141], pad_after: [141, 140], offsets: Offsets::Anywhere, ..case };
    named("300x300 kernel", case.clone());
    // All terms of one sign and alike: the errors of a long chain of additions add up instead of cancelling.
    let layouts = Layouts {
        x: Layout::broadcast(4, &[0, 1, 2, 3]),
        weight: Layout::broadcast(4, &[1, 2, 3]),
        ..Layouts::default()
    };
    named(
        "300x300 kernel, all terms alike",
        Case { layouts, offsets: Offsets::Zero, pad_before: [0, 0], pad_after: [0, 0], h: 301, w: 301, ..case },
    );
}

#[test]
fn sums_over_more_than_65536_channels() {
    let layouts = Layouts {
        x: Layout::broadcast(4, &[0, 1, 2, 3]),
        weight: Layout::broadcast(4, &[0, 1, 2, 3]),
        ..Layouts::default()
    };
    let case = Case { n: 1, c: 66_000, h: 1, w: 2, o: 2, kernel: [1, 1], layouts, ..Case::default() };
    let case = Case { pad_before: [0, 0], pad_after: [0, 0], offsets: Offsets::Small, ..case };
    named("66000 channels, all terms alike", case);
}

#[test]
fn odd_channels() {
    named_problems::odd_channels(false, named);
}

#[test]
fn depthwise() {
    named_problems::depthwise(named);
}

#[test]
fn positions_that_cross_rows_and_tiles() {
    for w in [1, 3, 15, 16, 17, 47, 48, 49, 97] {
        named(&format!("rows of {w}"), Case { n: 2, c: 4, h: 11, w, o: 3, ..Case::default() });
    }
}

#[test]
fn deformable_groups_that_straddle_groups() {
    let case = Case { c: 30, o: 20, groups: 10, deformable_groups: 6, ..Case::default() };
    named("10 groups, 6 deformable groups", case.clone());
    named("2 groups, 15 deformable groups", Case { groups: 2, deformable_groups: 15, ..case });
}

/// Images of many small deformable groups are sampled through windows, but for taps that reach beyond them.
#[test]
fn images_larger_than_a_window() {
    // Two groups sample with the corners of each deformable group.
    let case = Case { groups: 4, deformable_groups: 2, stride: [1, 9], ..Case::default() };
    let case = Case { n: 2, c: 16, h: 164, w: 512, o: 4, ..case };
    let kernels = <f32 as HasKernels>::TABLE[0];
    let described = deformconv::problem::Problem::new(&Problem::new(&case).descriptor).expect("the case is valid");
    let plan = ForwardPlan::<f32>::new(&described, kernels, 1).expect("the plan fits memory");
    assert!((1..164).contains(&plan.window_rows), "{} rows", plan.window_rows);
    let all = [Offsets::FarTaps, Offsets::Moderate];
    let all = if is_reduced() { &all[..1] } else { &all };
    for layouts in [Layouts::channels_last(), Layouts::default()] {
        for &offsets in all {
            named(&format!("{offsets:?} offsets, windows"), Case { offsets, layouts: layouts.clone(), ..case.clone() });
        }
    }
}

#[test]
fn offset_and_mask_in_one_buffer() {
    let case = Case { deformable_groups: 2, ..Case::default() };
    let mut problem = Problem::new(&case);
    let (mut offset, mut mask) = problem::offset_and_mask_in_one_buffer(&case);
    offset.fill(|index| problem.offset.get(index));
    mask.fill(|index| problem.mask.as_ref().expect("the case has a mask").get(index));
    (problem.descriptor.offset, problem.descriptor.mask) = (offset.descriptor(), mask.descriptor());
    (problem.offset, problem.mask) = (offset, Some(mask));
    let expected = reference::forward(&problem);
    for isa in runner::isas().0 {
        let got = runner::forward(&problem, &Setup::plain(isa)).expect("the library takes slices of one buffer");
        compare("y", &got, &expected).unwrap_or_else(|message| panic!("{isa:?}: {message}"));
    }
}

#[test]
fn every_stride_negative() {
    named_problems::every_stride_negative(named);
}

#[test]
fn every_instruction_set_has_its_kernels() {
    for dtype in Dtype::ALL {
        for isa in runner::isas().0 {
            let problem = Problem::new(&Case::default().of(dtype));
            let plan = Plan::new(&problem, &Setup::plain(isa)).unwrap_or_else(|refusal| panic!("{refusal:?}"));
            let info = plan.info();
            report(&format!("{dtype:?} on {isa:?}: {}, {}", info.forward_kernel, info.backward_kernel));
            assert_eq!(info.isa.as_bytes(), isa.name().to_bytes(), "{dtype:?}");
        }
    }
}
