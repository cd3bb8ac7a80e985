//! Images of 2^31 pixels and more, which 31 bits do not count, or of just less: both passes against their definition.
//! Few samples are taken, and x and grad_x take little memory: pixels of x share theirs, and of grad_x's pages only
//! those that are hit are ever touched, unless all of it has to be written.

mod common;

use common::case::{Case, Layouts};
use common::dtype::Dtype;
use common::effort::is_emulated;
use common::layout::{Layout, Strided};
use common::memory::Memory;
use common::problem::{Gradients, Problem};
use common::reference;
use common::report::report;
use common::runner::{self, Plan, Setup, Threads, Workspace, all_gradients};
use common::values::Offsets;
use common::verify::{compare, compare_element};
use deformconv::abi::*;
use deformconv::context::Isa;
use std::fs;

/// Images of so many pixels that 31 bits do not count them, or just so, in the memory of a column at most: the pixels
/// of a row share theirs. Copying one takes the workspace as much memory as it has pixels, which is asked before.
#[test]
fn images_of_2_to_the_31_pixels_and_more() {
    const MOST_WORKSPACE: usize = 1 << 30;
    let mut channels_last = Strided::ordered(&[0, 2, 3, 1]);
    channels_last.broadcast[3] = true;
    let images = [
        (46340, "one pixel", 1, Layout::broadcast(4, &[2, 3])),
        (65536, "one pixel", 1, Layout::broadcast(4, &[2, 3])),
        (65536, "one channel", 1, Layout::broadcast(4, &[3])),
        (65536, "channels innermost", 6, Layout::Strided(channels_last)),
        (65536, "channels outermost", 6, Layout::broadcast(4, &[3])),
    ];
    for (size, name, c, x) in images {
        let layouts = Layouts { x, ..Layouts::default() };
        let case =
            Case { c, h: size, w: size, stride: [16000, 15000], passes: 1 << DCN_PASS_FORWARD, ..Case::default() };
        let problem = Problem::new(&Case { layouts, ..case });
        let expected = reference::forward(&problem);
        for isa in runner::isas().0 {
            let setup = Setup::plain(isa);
            let plan = Plan::new(&problem, &setup).unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
            let bytes = plan.workspace_size(DCN_PASS_FORWARD).expect("a plan for the forward pass");
            if bytes > MOST_WORKSPACE {
                report(&format!(
                    "{size}^2 pixels, {name}, {isa:?}: was NOT run: its workspace would take {bytes} bytes"
                ));
                continue;
            }
            let got = runner::forward(&problem, &setup).unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
            let ratio = compare("y", &got, &expected).unwrap_or_else(|message| panic!("{name}: {isa:?}: {message}"));
            let kernel = plan.info().forward_kernel;
            report(&format!("{size}^2 pixels, {name}, {isa:?} ({kernel}): worst error {ratio:.4} of the bound"));
        }
    }
}

/// More than 2^32 pixels a channel, of which 25 positions' taps sample a few.
fn few_samples(dtype: Dtype) -> Case {
    let layouts = Layouts { x: Layout::broadcast(4, &[3]), ..Layouts::default() };
    let case = Case { n: 1, c: 4, h: 70000, w: 66000, o: 6, layouts, ..Case::default() };
    Case { stride: [16000, 15000], groups: 2, deformable_groups: 4, offsets: Offsets::Anywhere, ..case }.of(dtype)
}

/// Threads of this library, workspace from its allocator.
fn with_threads(threads: i32) -> Setup {
    Setup { threads: Threads::Own(threads), workspace: Workspace::Allocator, ..Setup::plain(Isa::Scalar) }
}

/// Computes gradients; grad_x, which nobody touched before, is added to.
fn run(problem: &Problem, setup: &Setup, wanted: u32) -> Gradients {
    let gradients = problem.gradients_with_x_in(Memory::untouched);
    let plan = Plan::new(problem, setup).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    assert_eq!(plan.info().backward_kernel, "direct");
    plan.backward(&gradients, wanted, DCN_GRAD_X).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    gradients
}

/// The index of an element of x.
fn index(case: &Case, number: i64) -> Vec<i64> {
    let (row, column) = (number / case.w, number % case.w);
    let (plane, row) = (row / case.h, row % case.h);
    vec![plane / case.c, plane % case.c, row, column]
}

/// An emulator of a processor keeps tables of all pages of a program, which of such a grad_x take gigabytes.
fn grad_x_is_too_large(test: &str) -> bool {
    if is_emulated() {
        report(&format!("did not run: {test}: the emulator takes gigabytes to map a grad_x of so many pixels"));
    }
    is_emulated()
}

#[test]
fn every_gradient() {
    if grad_x_is_too_large("every_gradient of huge images") {
        return;
    }
    let mut last_first = Strided::ordered(&[0, 1, 2, 3]);
    last_first.reversed = vec![true; 4];
    for (offsets, grad_x) in [
        (Offsets::Anywhere, Layout::Contiguous),
        (Offsets::Moderate, Layout::channels_last()),
        (Offsets::Edges, Layout::Strided(last_first)),
    ] {
        for dtype in Dtype::ALL {
            let case = few_samples(dtype);
            let layouts = Layouts { grad_x: grad_x.clone(), ..case.layouts.clone() };
            let problem = Problem::new(&Case { offsets, layouts, ..case });
            let expected = reference::backward(&problem, &problem.gradients_with_x_in(Memory::untouched).y);
            let got = run(&problem, &with_threads(2), all_gradients(&problem));
            let hit: Vec<_> = expected.x_hit.keys().map(|number| index(&problem.case, *number)).collect();
            let mut worst = 0.0f64;
            for (index, expected) in hit.iter().zip(expected.x_hit.values()) {
                let ratio = compare_element("grad_x", &got.x, index, expected);
                worst = worst.max(ratio.unwrap_or_else(|message| panic!("{dtype:?}, {offsets:?}: {message}")));
            }
            got.x.assert_alone_touched(&hit, "grad_x");
            for (name, tensor) in got.outputs().into_iter().filter(|(name, _)| *name != "grad_x") {
                tensor.assert_surroundings(name);
                let ratio = compare(name, tensor, expected.named(name));
                worst = worst.max(ratio.unwrap_or_else(|message| panic!("{dtype:?}, {offsets:?}: {message}")));
            }
            let hits = hit.len();
            report(&format!(
                "70000 x 66000 pixels, {dtype:?}, {offsets:?}: {hits} hit, worst error {worst:.4} of the bound"
            ));
        }
    }
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    if grad_x_is_too_large("the_same_bits_on_any_number_of_threads for huge images") {
        return;
    }
    for dtype in Dtype::ALL {
        let problem = Problem::new(&Case { offsets: Offsets::Moderate, ..few_samples(dtype) });
        let expected = reference::backward(&problem, &problem.gradients_with_x_in(Memory::untouched).y);
        let hit: Vec<_> = expected.x_hit.keys().map(|number| index(&problem.case, *number)).collect();
        let bits = |threads: i32, wanted: u32| {
            let got = run(&problem, &with_threads(threads), wanted);
            let others = got.outputs().into_iter().filter(|(name, _)| *name != "grad_x");
            let others = others.flat_map(|(_, tensor)| tensor.all_bits()).collect::<Vec<_>>();
            (hit.iter().map(|index| got.x.bits(index)).collect::<Vec<_>>(), others)
        };
        let all = all_gradients(&problem);
        let one = bits(1, all);
        (2..=8).for_each(|threads| assert!(bits(threads, all) == one, "{dtype:?}: {threads} threads and one differ"));
        // A NULL for grad_x changes none of the others.
        assert!(bits(3, all & !DCN_GRAD_X).1 == one.1, "{dtype:?}: without grad_x the others differ");
    }
}

/// Bytes that this system has to spare.
fn available_memory() -> usize {
    let text = fs::read_to_string("/proc/meminfo").expect("a Linux system");
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).expect("the memory available");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number of KiB") << 10
}

/// A grad_x of 2^31 pixels that is not added to: 4 GiB, all of them written.
#[test]
fn grad_x_overwritten() {
    let case = Case { c: 1, h: 46341, w: 46341, groups: 1, deformable_groups: 1, ..few_samples(Dtype::F16) };
    let problem = Problem::new(&case);
    let bytes = (case.h * case.w * 2) as usize;
    if available_memory() < 2 * bytes {
        return report(&format!("grad_x overwritten: was NOT run: it takes {bytes} bytes, with as much to spare"));
    }
    let expected = reference::backward(&problem, &problem.gradients_with_x_in(Memory::untouched).y);
    let got = problem.gradients();
    let plan = Plan::new(&problem, &with_threads(2)).expect("a plan");
    plan.backward(&got, DCN_GRAD_X, 0).expect("a backward pass");
    for (number, expected) in &expected.x_hit {
        compare_element("grad_x", &got.x, &index(&case, *number), expected)
            .unwrap_or_else(|message| panic!("{message}"));
    }
    // SAFETY: all elements of the gradient, which is contiguous.
    let elements = unsafe { std::slice::from_raw_parts(got.x.pointer().cast::<u16>(), bytes / 2) };
    for (number, bits) in elements.iter().enumerate().filter(|(_, bits)| **bits != 0) {
        assert!(expected.x_hit.contains_key(&(number as i64)), "element {number} has bits {bits:#x}, expected 0");
    }
}
