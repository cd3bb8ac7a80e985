//! Problems with a name, each at the edge of something, that are run forward and backward.

use super::case::{Case, Layouts};
use super::dtype::Dtype;
use super::effort::is_reduced;
use super::layout::{Layout, Strided};
use super::report::report;
use super::runner::{Setup, few_setups};
use super::values::{Masks, Numbers, Offsets};
use super::verify::Worst;

/// Checks a problem in every type, with a few ways to run it.
pub fn in_every_type(name: &str, case: Case, check: impl Fn(&Case, &[Setup], &Worst) -> Result<(), String>) {
    for dtype in Dtype::ALL {
        let case = case.clone().of(dtype);
        let worst = Worst::default();
        let result = check(&case, &few_setups(dtype), &worst);
        result.unwrap_or_else(|message| panic!("{name}: {message}\n{case:?}"));
        worst.lines().iter().for_each(|line| report(&format!("{name}: {line}")));
    }
}

pub fn offsets_on_borders_and_beyond(run: impl Fn(&str, Case)) {
    for offsets in [Offsets::Edges, Offsets::Extreme, Offsets::Far, Offsets::Integers, Offsets::Mixed] {
        let case = Case { offsets, deformable_groups: 3, ..Case::default() };
        run(&format!("{offsets:?} offsets"), Case { numbers: Numbers::NonFinite, n: 1, ..case.clone() });
        run(&format!("{offsets:?} offsets"), case);
    }
}

pub fn masks_of_every_kind(run: impl Fn(&str, Case)) {
    for masks in Masks::ALL {
        run(&format!("{masks:?} masks"), Case { masks, offsets: Offsets::Mixed, ..Case::default() });
    }
}

pub fn no_images(run: impl Fn(&str, Case)) {
    run("N = 0", Case { n: 0, ..Case::default() });
}

pub fn kernel_larger_than_the_image(run: impl Fn(&str, Case)) {
    let case = Case { h: 3, w: 2, kernel: [11, 13], pad_before: [6, 5], pad_after: [5, 8], ..Case::default() };
    run("11x13 kernel on a 3x2 image", Case { offsets: Offsets::Anywhere, ..case });
}

pub fn kernel_of_32768_columns(run: impl Fn(&str, Case)) {
    run("32768 columns", wide_kernel());
}

pub fn wide_kernel() -> Case {
    let wide = Case { n: 1, c: 2, h: 1, w: 3, o: 2, kernel: [1, 32768], has_mask: false, ..Case::default() };
    Case { pad_before: [0, 16384], pad_after: [0, 16384], offsets: Offsets::Anywhere, ..wide }
}

pub fn odd_channels(has_mask: bool, run: impl Fn(&str, Case)) {
    for layouts in [Layouts::default(), Layouts::channels_last()] {
        let case = Case { n: 1, c: 513, h: 4, w: 5, o: 17, has_mask, layouts, ..Case::default() };
        run("513 channels to 17", case.clone());
        run(
            "513 channels in 3 groups and 27 deformable groups",
            Case { o: 18, groups: 3, deformable_groups: 27, ..case },
        );
    }
}

pub fn depthwise(run: impl Fn(&str, Case)) {
    let case = Case { n: 1, c: 70, groups: 70, o: 70, ..Case::default() };
    run("depthwise", case.clone());
    let h = if is_reduced() { 3 } else { case.h };
    run("depthwise, a deformable group a channel", Case { deformable_groups: 70, o: 140, h, ..case });
}

pub fn every_stride_negative(run: impl Fn(&str, Case)) {
    let reversed = |rank: usize| {
        let mut strided = Strided::ordered(&(0..rank).collect::<Vec<_>>());
        strided.reversed = vec![true; rank];
        Layout::Strided(strided)
    };
    let layouts = Layouts {
        x: reversed(4),
        offset: reversed(4),
        mask: reversed(4),
        weight: reversed(4),
        bias: reversed(1),
        y: reversed(4),
        grad_bias: reversed(1),
        ..Layouts::default()
    };
    run("all strides negative", Case { layouts, ..Case::default() });
}
