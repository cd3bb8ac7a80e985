//! The gradients against their definition, and against the forward pass they are the gradients of.

mod common;

use common::case::{Case, Layouts};
use common::dtype::Dtype;
use common::layout::Layout;
use common::named_problems;
use common::problem::{self, Gradients, Problem};
use common::reference;
use common::report::report;
use common::runner::{self, GRADIENTS, Plan, Setup, Threads, Workspace, all_gradients};
use common::strategy::{case, for_all, large_case, setup};
use common::tensor::{Tensor, assert_surroundings};
use common::values::{Masks, Offsets, Random};
use common::verify::{Worst, compare};
use deformconv::abi::DCN_GRAD_X;
use deformconv::context::Isa;
use proptest::prelude::{Strategy, any};

/// Runs a problem in some ways on every instruction set and by the direct implementation, and compares all gradients;
/// adds to what is there for the DCN_GRAD_... bits in `accumulate`.
fn check(case: &Case, setups: &[Setup], accumulate: u32, worst: &Worst) -> Result<(), String> {
    let problem = Problem::new(case);
    let expected = reference::backward(&problem, &problem.gradients().y);
    for setup in setups.iter().flat_map(|setup| setup.everywhere(case)) {
        let mut got = problem.gradients();
        let previous = start_from(&mut got, accumulate, case.seed);
        let plan = Plan::new(&problem, &setup).map_err(|refusal| format!("{setup:?}: {refusal:?}"))?;
        let all = all_gradients(&problem);
        plan.backward(&got, all, accumulate & all).map_err(|refusal| format!("{setup:?}: {refusal:?}"))?;
        for (name, tensor) in got.outputs() {
            tensor.assert_surroundings(name);
            let mut expected = expected.named(name).to_vec();
            if let Some(previous) = previous.iter().find(|(of, _)| *of == name) {
                expected.iter_mut().zip(&previous.1).for_each(|(sum, value)| *sum = sum.added_to(*value));
            }
            let ratio = compare(name, tensor, &expected).map_err(|message| format!("{setup:?}: {message}"))?;
            worst.add(case.dtype, ratio);
        }
    }
    Ok(())
}

/// Fills the gradients that will be added to, and returns what they hold.
fn start_from(gradients: &mut Gradients, accumulate: u32, seed: u64) -> Vec<(&'static str, Vec<f64>)> {
    let mut random = Random::new(seed, 8);
    let mut held = Vec::new();
    for (name, tensor) in gradients.outputs_mut() {
        let (_, bit) = GRADIENTS.into_iter().find(|(of, _)| *of == name).expect("a gradient's bit");
        if accumulate & bit != 0 {
            tensor.fill(|_| random.between(-1.0, 1.0));
            held.push((name, tensor.indices().map(|index| tensor.get(&index)).collect()));
        }
    }
    held
}

fn random_problems(name: &str, cases: u32, problems: impl Strategy<Value = Case>) {
    let worst = Worst::default();
    let accumulate = any::<u32>().prop_map(|bits| if bits % 2 == 0 { 0 } else { bits >> 1 & 31 });
    for_all(cases, (problems, setup(), accumulate), |(case, setup, accumulate)| {
        check(&case, &[setup], accumulate, &worst)
    });
    worst.lines().iter().for_each(|line| report(&format!("gradients of {name}: {line}")));
}

#[test]
fn random_problems_in_f32() {
    random_problems("random problems", 400, case(Dtype::F32));
}

#[test]
fn random_problems_in_f64() {
    random_problems("random problems", 200, case(Dtype::F64));
}

#[test]
fn random_problems_in_halves() {
    random_problems("random problems", 150, case(Dtype::F16));
    random_problems("random problems", 150, case(Dtype::Bf16));
}

#[test]
fn large_random_problems() {
    random_problems("large random problems", 6, large_case(Dtype::F32));
    random_problems("large random problems", 2, large_case(Dtype::F64));
    random_problems("large random problems", 2, large_case(Dtype::F16));
}

fn named(name: &str, case: Case) {
    named_problems::in_every_type(&format!("gradients, {name}"), case, |case, setups, worst| {
        check(case, setups, 0, worst)
    });
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
fn kernel_larger_than_the_image() {
    named_problems::kernel_larger_than_the_image(named);
}

#[test]
fn kernel_of_32768_columns() {
    named_problems::kernel_of_32768_columns(named);
}

#[test]
fn sums_over_more_than_65536_positions() {
    let case = Case { n: 1, c: 1, h: 300, w: 300, o: 1, kernel: [1, 1], ..Case::default() };
    let case = Case { pad_before: [0, 0], pad_after: [0, 0], offsets: Offsets::Small, ..case };
    named("90000 positions", case.clone());
    // All terms of one sign and alike: the errors of a long chain of additions add up instead of cancelling.
    let layouts = Layouts {
        x: Layout::broadcast(4, &[0, 1, 2, 3]),
        grad_y: Layout::broadcast(4, &[0, 1, 2, 3]),
        ..Layouts::default()
    };
    let alike = Case { layouts, has_mask: false, offsets: Offsets::Zero, ..case };
    named("90000 positions, all terms alike", alike.clone());
    // All of them sample the same few pixels.
    let far = Case { h: 2, w: 2, pad_before: [149, 149], pad_after: [149, 149], offsets: Offsets::Anywhere, ..alike };
    named("90000 positions, four pixels", far.clone());
    named("90000 positions, one place", Case { offsets: Offsets::OnePlace, ..far });
}

/// All terms of one sign and alike, along each of the dimensions that gradients are sums over.
#[test]
fn sums_over_more_than_65536_channels_and_images() {
    let layouts = Layouts {
        x: Layout::broadcast(4, &[0, 1, 2, 3]),
        weight: Layout::broadcast(4, &[0, 1, 2, 3]),
        grad_y: Layout::broadcast(4, &[0, 1, 2, 3]),
        ..Layouts::default()
    };
    let case = Case { n: 1, c: 1, h: 1, w: 2, o: 1, kernel: [1, 1], layouts, has_mask: true, ..Case::default() };
    let case = Case { pad_before: [0, 0], pad_after: [0, 0], offsets: Offsets::Small, ..case };
    named("66000 channels to one", Case { c: 66_000, ..case.clone() });
    named("one channel to 66000", Case { o: 66_000, ..case.clone() });
    named("66000 images", Case { n: 66_000, ..case });
}

/// So many equal shares of one pixel of grad_x that rounding their sum to f32 again and again would take the same from
/// it each time.
#[test]
fn four_million_samples_of_one_pixel() {
    const SIDE: i64 = 2048;
    let pad = SIDE / 2 - 1;
    let layouts = Layouts { grad_y: Layout::broadcast(4, &[0, 1, 2, 3]), ..Layouts::default() };
    let case = Case { n: 1, c: 1, h: 2, w: 2, o: 1, kernel: [1, 1], layouts, has_mask: false, ..Case::default() };
    let mut problem = Problem::new(&Case { pad_before: [pad; 2], pad_after: [pad; 2], ..case });
    problem.offset.fill(|index| (pad - index[2 + index[1] as usize]) as f64);
    problem.weight.fill(|_| 1.0);
    let (samples, share) = ((SIDE * SIDE) as f64, 1.0 + 31.0 / 16384.0);
    let bound = 2f64.powi(-23) * (8.0 + 2.0 * samples.sqrt()) * samples * share;
    for setup in Setup::plain(Isa::Scalar).everywhere(&problem.case) {
        let mut gradients = problem.gradients();
        gradients.y.fill(|_| share);
        let plan = Plan::new(&problem, &setup).expect("a plan");
        plan.backward(&gradients, DCN_GRAD_X, 0).expect("a backward pass");
        let got = gradients.x.get(&[0, 0, 0, 0]);
        let error = (got - samples * share).abs();
        assert!(error <= bound, "{setup:?}: {got}, expected {} within {bound}", samples * share);
    }
}

#[test]
fn odd_channels() {
    named_problems::odd_channels(true, named);
    named("6 channels to 600", Case { n: 1, o: 600, h: 4, w: 5, ..Case::default() });
}

#[test]
fn depthwise() {
    named_problems::depthwise(named);
    let case = Case { n: 2, c: 6, h: 17, w: 13, groups: 6, o: 6, ..Case::default() };
    named("depthwise, one place", Case { offsets: Offsets::OnePlace, ..case });
}

/// The last unit of channels is smaller than the others. What its accumulators have room for beyond it nobody writes;
/// Miri tells whether anybody reads it.
#[test]
fn units_of_unequal_size_in_a_batch() {
    let case = Case { c: 70, h: 2, w: 2, kernel: [1, 1], pad_before: [0; 2], pad_after: [0; 2], ..Case::default() };
    let setup = Setup { workspace: Workspace::Allocator, ..Setup::plain(Isa::Scalar) };
    for case in [Case { o: 70, groups: 70, ..case.clone() }, case] {
        check(&case, &[setup], 0, &Worst::default()).unwrap_or_else(|message| panic!("{message}\n{case:?}"));
    }
}

#[test]
fn every_stride_negative() {
    named_problems::every_stride_negative(named);
}

#[test]
fn grad_offset_and_grad_mask_in_one_buffer() {
    let case = Case { deformable_groups: 2, ..Case::default() };
    let mut problem = Problem::new(&case);
    let (offset, mask) = problem::offset_and_mask_in_one_buffer(&case);
    (problem.descriptor.grad_offset, problem.descriptor.grad_mask) = (offset.descriptor(), mask.descriptor());
    let expected = reference::backward(&problem, &problem.gradients().y);
    for isa in runner::isas().0 {
        let (offset, mask) = problem::offset_and_mask_in_one_buffer(&case);
        let gradients = Gradients { offset, mask: Some(mask), ..problem.gradients() };
        let plan = Plan::new(&problem, &Setup::plain(isa)).expect("a plan");
        plan.backward(&gradients, all_gradients(&problem), 0).expect("the library takes slices of one buffer");
        for (name, tensor) in gradients.outputs() {
            compare(name, tensor, expected.named(name)).unwrap_or_else(|message| panic!("{isa:?}: {message}"));
        }
        assert_surroundings(
            &[&gradients.offset, gradients.mask.as_ref().expect("just made")],
            "grad_offset and grad_mask",
        );
    }
}

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    a.indices().map(|index| a.get(&index) * b.get(&index)).sum()
}

fn magnitudes(tensor: &mut Tensor) {
    let values: Vec<f64> = tensor.indices().map(|index| tensor.get(&index).abs()).collect();
    let mut values = values.into_iter();
    tensor.fill(|_| values.next().expect("as many values as elements"));
}

/// ⟨g, F x⟩ = ⟨Fᵀ g, x⟩, for x and, as the operator is linear in both, for the weights: the two passes of the library
/// against each other, without the reference.
#[test]
fn backward_is_the_adjoint_of_forward() {
    for dtype in [Dtype::F32, Dtype::F64] {
        let case = Case { bias: None, offsets: Offsets::Anywhere, masks: Masks::Signed, ..Case::default() }.of(dtype);
        for case in [
            Case { n: 3, c: 12, o: 8, groups: 4, deformable_groups: 6, ..case.clone() },
            Case { n: 2, c: 40, h: 20, w: 23, o: 33, layouts: Layouts::channels_last(), ..case },
        ] {
            for isa in runner::isas().0 {
                adjoint(&case, &Setup { threads: Threads::Own(2), ..Setup::plain(isa) });
            }
        }
    }
}

fn adjoint(case: &Case, setup: &Setup) {
    let mut problem = Problem::new(case);
    let gradients = runner::backward(&problem, setup).expect("a backward pass");
    let y = runner::forward(&problem, setup).expect("a forward pass");
    let sides = [dot(&gradients.y, &y), dot(&gradients.x, &problem.x), dot(&gradients.weight, &problem.weight)];
    // The same sums with the magnitude of every term.
    let mut g = gradients.y.copy();
    let mask = problem.mask.as_mut().expect("a mask");
    [&mut problem.x, &mut problem.weight, mask, &mut g].into_iter().for_each(magnitudes);
    let magnitude = dot(&g, &runner::forward(&problem, setup).expect("a forward pass"));
    let tolerance = 2.0 * case.dtype.tolerance() * (8.0 + 2.0 * (4.0 * case.work() as f64).sqrt()) * magnitude;
    for (side, name) in sides[1..].iter().zip(["x", "weight"]) {
        let error = (side - sides[0]).abs();
        assert!(
            error <= tolerance,
            "{name}: {sides:?}, apart by {error:e}, expected {tolerance:e}\n{setup:?}\n{case:?}"
        );
    }
}
