//! The bits of a result depend on the library, the instruction set, the problem and the data alone: not on the run, the
//! threads, who brings them, where scratch memory or packed weights come from, or how pointers are aligned.

mod common;

use common::case::{Case, Layouts};
use common::dtype::Dtype;
use common::effort::{dealt, step};
use common::executor::Host;
use common::layout::Layout;
use common::problem::{Gradients, Problem};
use common::report::report;
use common::runner::{self, GRADIENTS, Plan, Setup, Threads, Workspace, all_gradients};
use common::strategy::{case, for_all, setup};
use common::values::{Numbers, Offsets};
use deformconv::abi::DCN_PASS_FORWARD;
use deformconv::context::Isa;

/// A way through the library for each: one tile, many tiles of few images, many images, blocks of channels and taps,
/// groups, depthwise, layouts that are copied, other types.
fn cases() -> Vec<Case> {
    let many_tiles = Case { n: 2, c: 24, h: 41, w: 31, o: 24, deformable_groups: 2, ..Case::default() };
    // Of which the direct implementation makes several blocks.
    let many_samples = Case { c: 4, h: 25, w: 23, o: 3, ..Case::default() };
    let many_images = Case { n: 19, c: 32, h: 9, w: 11, o: 18, ..Case::default() };
    let odd_layouts = Layouts {
        x: Layout::strided(&[2, 0, 3, 1]),
        y: Layout::strided(&[1, 3, 0, 2]),
        weight: Layout::channels_last(),
        offset: Layout::channels_last(),
        ..Layouts::default()
    };
    vec![
        Case::default(),
        Case { n: 1, c: 530, h: 6, w: 8, o: 50, ..Case::default() },
        Case { groups: 2, layouts: Layouts::channels_last(), ..many_tiles.clone() },
        Case { c: 48, o: 48, groups: 48, deformable_groups: 2, ..many_tiles.clone() },
        Case { n: 1, c: 70, o: 70, groups: 70, offsets: Offsets::OnePlace, ..many_tiles.clone() },
        Case { layouts: odd_layouts, ..many_tiles.clone() },
        Case { numbers: Numbers::NonFinite, offsets: Offsets::Mixed, ..many_tiles.clone() },
        many_tiles.clone().of(Dtype::F64),
        many_tiles.clone().of(Dtype::Bf16),
        many_samples.clone().of(Dtype::Bf16),
        many_samples,
        many_images.clone().of(Dtype::F64),
        many_tiles,
        many_images,
    ]
}

/// Each way to run that differs in one thing from a plain one, and some that differ in many.
fn setups(plain: Setup) -> Vec<Setup> {
    let mut setups = vec![plain, Setup { workspace: Workspace::Allocator, ..plain }];
    setups.extend((2..=8).map(|threads| Setup { threads: Threads::Own(threads), ..plain }));
    for host in Host::ALL {
        setups.extend([2, 7].map(|concurrency| Setup { threads: Threads::Host(host, concurrency), ..plain }));
    }
    setups.extend([1, 63].map(|misalignment| Setup { workspace: Workspace::Caller { misalignment }, ..plain }));
    setups.extend([0, 36].map(|misalignment| Setup { packed: Some(misalignment), ..plain }));
    let own = Setup { threads: Threads::Own(3), workspace: Workspace::Allocator, packed: Some(7), ..plain };
    let host =
        Setup { threads: Threads::Host(Host::Concurrent, 4), workspace: Workspace::Caller { misalignment: 5 }, ..own };
    setups.extend([own, host]);
    setups
}

fn forward_bits(problem: &Problem, setup: &Setup) -> Vec<u64> {
    let y = runner::forward(problem, setup);
    y.unwrap_or_else(|refusal| panic!("{setup:?}: {refusal:?}\n{:?}", problem.case)).all_bits()
}

fn assert_same(case: &Case, setup: &Setup, expected: &[u64], got: &[u64]) {
    let different = expected.iter().zip(got).filter(|(a, b)| a != b).count();
    let first = expected.iter().zip(got).position(|(a, b)| a != b);
    if let Some(i) = first {
        let (a, b, all) = (expected[i], got[i], got.len());
        panic!("{different} of {all} results differ, the first at {i}: {a:#x} and {b:#x}\n{setup:?}\n{case:?}");
    }
}

/// On the calling thread, with all that may compute a problem here, the direct implementation only if it is done soon.
fn plain_setups(case: &Case) -> Vec<Setup> {
    const MOST_DIRECT_WORK: i64 = 1_000_000;
    let mut setups = Setup::plain(Isa::Scalar).everywhere(case);
    setups.retain(|setup| !setup.direct || case.work() <= MOST_DIRECT_WORK);
    setups
}

/// Bits of a problem on the way that `setups` begins with, against those on all others.
fn assert_same_whoever_runs_it(bits: impl Fn(&Problem, &Setup) -> Vec<u64>) {
    runner::isas().1.iter().for_each(|line| report(line));
    let cases = cases();
    for (i, case) in cases.iter().enumerate() {
        let problem = Problem::new(case);
        for plain in plain_setups(case) {
            let expected = bits(&problem, &plain);
            for setup in dealt(setups(plain), i, cases.len()) {
                assert_same(case, &setup, &expected, &bits(&problem, &setup));
            }
        }
    }
}

/// The same with every tensor moved by a few elements.
fn assert_same_wherever_tensors_begin(bits: impl Fn(&Problem, &Setup) -> Vec<u64>) {
    let cases = cases();
    for (i, case) in cases.iter().enumerate() {
        let problem = Problem::new(case);
        let shifts = dealt(vec![1, 2, 3], i, cases.len()).into_iter();
        let shifted: Vec<_> = shifts.map(|shift| Problem::new(&Case { shift, ..case.clone() })).collect();
        for setup in plain_setups(case) {
            let expected = bits(&problem, &setup);
            for shifted in &shifted {
                assert_same(&shifted.case, &setup, &expected, &bits(shifted, &setup));
            }
        }
    }
}

fn random_problems(bits: impl Fn(&Problem, &Setup) -> Vec<u64>) {
    for dtype in Dtype::ALL {
        for_all(60, (case(dtype), setup()), |(case, setup)| {
            let problem = Problem::new(&case);
            for (setup, plain) in setup.everywhere(&case).into_iter().zip(plain_setups(&case)) {
                if bits(&problem, &setup) != bits(&problem, &plain) {
                    return Err(format!("the bits of {setup:?} differ"));
                }
            }
            Ok(())
        });
    }
}

#[test]
fn forward_whoever_runs_it() {
    assert_same_whoever_runs_it(forward_bits);
}

#[test]
fn forward_wherever_tensors_begin() {
    assert_same_wherever_tensors_begin(forward_bits);
}

#[test]
fn forward_of_random_problems() {
    random_problems(forward_bits);
}

/// With work enough for several threads, which share the copies of images: of one image, of more than are in flight,
/// and as far as samples reach.
#[test]
fn forward_again_and_again() {
    let passes = 1 << DCN_PASS_FORWARD;
    let large = Case { n: 1, c: 40, h: 150, w: 90, o: 8, passes, ..Case::default() };
    let several = Case { n: 5, c: 24, h: 61, w: 77, o: 9, offsets: Offsets::Mixed, ..large.clone() };
    let far = Case { deformable_groups: 5, offsets: Offsets::Anywhere, ..large.clone() };
    let threads = vec![Threads::Own(2), Threads::Own(8), Threads::Host(Host::Concurrent, 3)];
    for (i, case) in [large, several, far].into_iter().enumerate() {
        let problem = Problem::new(&case);
        for isa in runner::isas().0 {
            let plain = Setup::plain(isa);
            let expected = forward_bits(&problem, &plain);
            for threads in dealt(threads.clone(), i, 3) {
                let setup = Setup { threads, workspace: Workspace::Allocator, ..plain };
                let plan = Plan::new(&problem, &setup).expect("a plan");
                assert!(plan.info().max_tasks > 1, "{setup:?}\n{case:?}");
                for _ in (0..8).step_by(step()) {
                    let y = problem.y();
                    plan.forward(&y).expect("a run");
                    assert_same(&case, &setup, &expected, &y.all_bits());
                }
            }
        }
    }
}

/// The bits of all gradients.
fn backward_bits(problem: &Problem, setup: &Setup) -> Vec<u64> {
    let gradients = runner::backward(problem, setup);
    let gradients = gradients.unwrap_or_else(|refusal| panic!("{setup:?}: {refusal:?}\n{:?}", problem.case));
    gradients.outputs().iter().flat_map(|(_, tensor)| tensor.all_bits()).collect()
}

#[test]
fn backward_whoever_runs_it() {
    assert_same_whoever_runs_it(backward_bits);
}

#[test]
fn backward_wherever_tensors_begin() {
    assert_same_wherever_tensors_begin(backward_bits);
}

#[test]
fn backward_of_random_problems() {
    random_problems(backward_bits);
}

#[test]
fn backward_whatever_else_is_asked_for() {
    let cases = cases();
    for (i, case) in cases.iter().enumerate() {
        let problem = Problem::new(case);
        for plain in plain_setups(case) {
            let setup = Setup { threads: Threads::Own(3), ..plain };
            let plan = Plan::new(&problem, &setup).expect("a plan");
            let run = |wanted| -> Gradients {
                let gradients = problem.gradients();
                plan.backward(&gradients, wanted, 0).expect("a backward pass");
                gradients
            };
            let all = run(all_gradients(&problem));
            for (name, bit) in dealt(GRADIENTS.to_vec(), i, cases.len()) {
                let of = |gradients: &Gradients| {
                    let outputs = gradients.outputs();
                    let found = outputs.iter().find(|(output, _)| *output == name);
                    found.map(|(_, tensor)| tensor.all_bits())
                };
                if let Some(expected) = of(&all) {
                    assert_same(case, &setup, &expected, &of(&run(bit)).expect("the same tensors"));
                }
            }
        }
    }
}

/// Each gradient wanted or not, added to or overwritten: 1024 ways.
#[test]
fn backward_every_combination_of_wanted_and_added_to() {
    let problem = Problem::new(&Case::default());
    for setup in plain_setups(&problem.case) {
        let plan = Plan::new(&problem, &setup).expect("a plan");
        let run = |wanted, accumulate| -> Gradients {
            let mut gradients = problem.gradients();
            gradients.outputs_mut().into_iter().for_each(|(_, tensor)| tensor.fill(|_| 1.0));
            plan.backward(&gradients, wanted, accumulate).expect("a backward pass");
            gradients
        };
        let bits = |gradients: &Gradients| -> Vec<_> {
            gradients.outputs().iter().map(|(name, tensor)| (*name, tensor.all_bits())).collect()
        };
        let [untouched, overwritten, added] = [(0, 0), (31, 0), (31, 31)].map(|(a, b)| bits(&run(a, b)));
        for (wanted, accumulate) in (0..1024).step_by(step()).map(|ways| (ways / 32, ways % 32)) {
            for (i, (name, got)) in bits(&run(wanted, accumulate)).into_iter().enumerate() {
                let (_, bit) = GRADIENTS.into_iter().find(|(of, _)| *of == name).expect("a gradient's bit");
                let expected = match (wanted & bit != 0, accumulate & bit != 0) {
                    (false, _) => &untouched[i],
                    (true, false) => &overwritten[i],
                    (true, true) => &added[i],
                };
                assert!(got == expected.1, "{name} by {setup:?}, wanted {wanted:#b}, accumulate {accumulate:#b}");
            }
        }
        assert!(untouched != overwritten && overwritten != added);
    }
}
