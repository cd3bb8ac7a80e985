//! Random problems over every field of the descriptor, and random ways to run them.

use super::case::{Case, Layouts};
use super::dtype::Dtype;
use super::effort;
use super::executor::Host;
use super::layout::{Layout, Strided};
use super::runner::{Setup, Threads, Workspace};
use super::values::{Masks, Numbers, Offsets};
use deformconv::context::Isa;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// Most multiplications a random problem may need.
const MOST_WORK: i64 = 400_000;

fn divisor(of: i64, pick: &Index) -> i64 {
    let divisors: Vec<i64> = (1..=of).filter(|d| of % d == 0).collect();
    *pick.get(&divisors)
}

fn multiple(at_least: i64, of: i64) -> i64 {
    (at_least + of - 1) / of * of
}

/// Mostly small, with a chance of more than one block of channels.
fn channels() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 1..=12i64, 3 => 13..=40i64, 1 => select(vec![48i64, 64, 65, 72, 96, 128, 130])]
}

/// Along one axis: image size, kernel, stride, padding before and after, dilation.
fn axis() -> impl Strategy<Value = [i64; 6]> {
    (1..=12i64, 1..=5i64, 1..=3i64, 0..=4i64, 0..=4i64, 1..=3i64).prop_map(
        |(size, kernel, stride, before, after, dilation)| {
            // The kernel fits: what is missing is padded.
            let missing = (dilation * (kernel - 1) + 1 - (size + before + after)).max(0);
            [size, kernel, stride, before, after + missing, dilation]
        },
    )
}

fn strided(rank: usize, may_broadcast: bool) -> impl Strategy<Value = Layout> {
    let flags = || prop::collection::vec(prop::bool::weighted(0.25), rank);
    let order = Just((0..rank).collect::<Vec<_>>()).prop_shuffle();
    (order, prop::collection::vec(0..=2i64, rank), flags(), flags()).prop_map(move |(order, gaps, reversed, shared)| {
        let broadcast = shared.into_iter().map(|shared| shared && may_broadcast).collect();
        Layout::Strided(Strided { order, gaps, reversed, broadcast })
    })
}

fn input(rank: usize) -> BoxedStrategy<Layout> {
    let last = if rank == 4 { Layout::channels_last() } else { Layout::Contiguous };
    prop_oneof![4 => Just(Layout::Contiguous), 2 => Just(last), 2 => strided(rank, false), 1 => strided(rank, true)]
        .boxed()
}

fn output(rank: usize) -> BoxedStrategy<Layout> {
    let last = if rank == 4 { Layout::channels_last() } else { Layout::Contiguous };
    prop_oneof![
        3 => Just(Layout::Implied),
        2 => Just(Layout::Contiguous),
        2 => Just(last),
        2 => strided(rank, false),
    ]
    .boxed()
}

fn layouts() -> impl Strategy<Value = Layouts> {
    let inputs = (input(4), input(4), input(4), input(4), input(1));
    let outputs = (output(4), output(4), output(4), output(4), output(4), output(4), output(1));
    let all = (inputs, outputs).prop_map(|((x, offset, mask, weight, bias), outputs)| {
        let (y, grad_y, grad_x, grad_offset, grad_mask, grad_weight, grad_bias) = outputs;
        Layouts { x, offset, mask, weight, bias, y, grad_y, grad_x, grad_offset, grad_mask, grad_weight, grad_bias }
    });
    prop_oneof![2 => Just(Layouts::default()), 1 => Just(Layouts::channels_last()), 3 => all]
}

pub fn case(dtype: Dtype) -> impl Strategy<Value = Case> {
    let sizes = (prop_oneof![1 => Just(0i64), 8 => 1..=3i64], channels(), 1..=17i64, any::<[Index; 2]>());
    let fillings = (
        prop_oneof![6 => Just(Numbers::Plain), 1 => select(&Numbers::ALL[..])],
        prop_oneof![3 => Just(Offsets::Moderate), 2 => Just(Offsets::Mixed), 4 => select(&Offsets::ALL[..])],
        prop_oneof![2 => Just(Masks::Unit), 2 => select(&Masks::ALL[..])],
        any::<u64>(),
    );
    let switches = (any::<[bool; 3]>(), any::<bool>(), select(vec![0u32, 0, 3]), 0..=3usize);
    let parts = (sizes, [axis(), axis()], layouts(), fillings, switches);
    let case = parts.prop_map(move |(sizes, [y, x], layouts, (numbers, offsets, masks, seed), switches)| {
        let (n, c, outputs, picks) = sizes;
        let ([has_mask, has_bias, ones_by_default], bias_in_f32, passes, shift) = switches;
        let groups = divisor(c, &picks[0]);
        let both = |field: usize| [y[field], x[field]];
        Case {
            dtype,
            n,
            c,
            h: y[0],
            w: x[0],
            // Depthwise problems with few outputs a channel, others with a few panels' worth.
            o: groups * if groups > 4 { 1 + outputs % 3 } else { outputs * if outputs % 4 == 0 { 4 } else { 1 } },
            kernel: both(1),
            stride: both(2),
            pad_before: both(3),
            pad_after: both(4),
            dilation: both(5),
            groups,
            deformable_groups: divisor(c, &picks[1]),
            ones_by_default,
            has_mask,
            bias: has_bias.then_some(if dtype.is_half() && bias_in_f32 { Dtype::F32 } else { dtype }),
            passes,
            layouts,
            shift,
            numbers,
            offsets,
            masks,
            seed,
        }
    });
    case.prop_filter("too much work for a test", |case| case.work() <= MOST_WORK)
}

/// Problems with enough work for several threads: many tiles of few images, or many small images.
pub fn large_case(dtype: Dtype) -> impl Strategy<Value = Case> {
    let shapes =
        vec![[1, 40, 47, 24, 40], [3, 25, 31, 31, 33], [20, 9, 10, 32, 48], [17, 7, 9, 64, 50], [2, 64, 64, 8, 12]];
    let filling = (select(vec![Offsets::Moderate, Offsets::Mixed, Offsets::Anywhere]), any::<u64>());
    let switches = (any::<[bool; 2]>(), 0..=3usize, any::<[Index; 2]>(), 1..=2i64);
    let parts = (select(shapes), layouts(), filling, switches);
    parts.prop_map(move |([n, h, w, c, o], layouts, (offsets, seed), ([has_mask, has_bias], shift, picks, stride))| {
        let groups = *picks[0].get(&[1, 1, 1, 2, c]);
        Case {
            dtype,
            n,
            c: multiple(c, groups),
            h: h * stride,
            w,
            o: multiple(o, groups),
            stride: [stride, 1],
            groups,
            deformable_groups: divisor(multiple(c, groups), &picks[1]),
            has_mask,
            bias: has_bias.then_some(dtype),
            layouts,
            shift,
            offsets,
            seed,
            ..Case::default()
        }
    })
}

/// Everything of a setup but the instruction set.
pub fn setup() -> impl Strategy<Value = Setup> {
    let host = (select(&Host::ALL[..]), 1..=8u32).prop_map(|(host, concurrency)| Threads::Host(host, concurrency));
    // Miri cannot start a thread with a stack size of its own, as the library does.
    let most = if cfg!(miri) { 1 } else { 8 };
    let threads = prop_oneof![3 => (1..=most).prop_map(Threads::Own), 2 => host];
    let workspace = prop_oneof![
        1 => Just(Workspace::Allocator),
        1 => Just(Workspace::Caller { misalignment: 0 }),
        1 => (0..64usize).prop_map(|misalignment| Workspace::Caller { misalignment }),
    ];
    let packed = prop::option::of(prop_oneof![1 => Just(0usize), 1 => 0..64usize]);
    (threads, workspace, packed).prop_map(|(threads, workspace, packed)| Setup {
        isa: Isa::Scalar,
        direct: false,
        threads,
        workspace,
        packed,
    })
}

/// Runs `test` on `cases` random values (or as many as PROPTEST_CASES says, or the share that [`effort`] allows), and
/// shrinks what fails.
pub fn for_all<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value) -> Result<(), String>) {
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or_else(|| effort::cases(cases));
    let config = Config { cases, failure_persistence: None, max_shrink_time: 15_000, ..Config::default() };
    let outcome = TestRunner::new(config).run(&strategy, |value| test(value).map_err(TestCaseError::fail));
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
