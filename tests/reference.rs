//! The reference itself, against what it must be on problems whose answers are known some other way.

mod common;

use common::case::Case;
use common::dtype::Dtype;
use common::effort::cases;
use common::index::Index;
use common::layout::Layout;
use common::problem::{Gradients, Problem};
use common::reference::{self, Expected};
use common::tensor::Tensor;
use common::values::{Masks, Numbers, Offsets, Random};
use common::wide::{DoubleDouble, Wide};

fn value(expected: &Expected) -> f64 {
    expected.sum.value.parts().0
}

/// Integers, so that all of the sums are exact.
fn exact(case: Case) -> Case {
    Case {
        numbers: Numbers::Integers,
        offsets: Offsets::Zero,
        has_mask: false,
        dtype: Dtype::F64,
        bias: Some(Dtype::F64),
        ..case
    }
}

/// A pixel, or 0 outside.
fn padded(x: &Tensor, n: i64, c: i64, y: i64, column: i64) -> f64 {
    let inside = (0..x.dims[2]).contains(&y) && (0..x.dims[3]).contains(&column);
    if inside { x.get(&[n, c, y, column]) } else { 0.0 }
}

/// Plain convolution, output by output, of an image shifted by whole pixels.
fn convolution(problem: &Problem, shift: [i64; 2]) -> Vec<f64> {
    let case = &problem.case;
    let (inputs, outputs) = (case.c / case.groups, case.o / case.groups);
    let y = problem.y();
    let at = |index: Index| {
        let [n, o, p, q] = index[..] else { unreachable!() };
        let mut sum = problem.bias.as_ref().map_or(0.0, |bias| bias.get(&[o]));
        for filter in common::index::indices(&[inputs, case.kernel[0], case.kernel[1]]) {
            let [c, i, j] = filter[..] else { unreachable!() };
            let row = p * case.stride[0] + i * case.dilation[0] - case.pad_before[0] + shift[0];
            let column = q * case.stride[1] + j * case.dilation[1] - case.pad_before[1] + shift[1];
            let pixel = padded(&problem.x, n, o / outputs * inputs + c, row, column);
            sum += problem.weight.get(&[o, c, i, j]) * pixel;
        }
        sum
    };
    y.indices().map(at).collect()
}

fn convolutions() -> Vec<Case> {
    let case = exact(Case::default());
    vec![
        Case {
            kernel: [2, 3],
            stride: [2, 1],
            dilation: [1, 2],
            pad_before: [0, 3],
            pad_after: [2, 1],
            ..case.clone()
        },
        Case { c: 12, o: 8, groups: 4, deformable_groups: 6, ..case.clone() },
        Case { c: 4, o: 4, groups: 4, deformable_groups: 2, h: 1, w: 2, ..case.clone() },
        case,
    ]
}

#[test]
fn without_offsets_it_is_a_convolution() {
    for case in convolutions() {
        let problem = Problem::new(&case);
        let got: Vec<f64> = reference::forward(&problem).iter().map(value).collect();
        assert_eq!(got, convolution(&problem, [0, 0]), "{case:?}");
    }
}

#[test]
fn whole_offsets_shift_the_image() {
    for case in convolutions() {
        let mut problem = Problem::new(&case);
        problem.offset.fill(|index| if index[1] % 2 == 0 { 2.0 } else { -1.0 });
        let got: Vec<f64> = reference::forward(&problem).iter().map(value).collect();
        assert_eq!(got, convolution(&problem, [2, -1]), "{case:?}");
    }
}

#[test]
fn offsets_of_a_quarter_weigh_pixels_by_area() {
    for case in convolutions() {
        let mut problem = Problem::new(&case);
        problem.offset.fill(|index| if index[1] % 2 == 0 { 0.25 } else { -0.5 });
        let got: Vec<f64> = reference::forward(&problem).iter().map(value).collect();
        let corners = [([0, -1], 0.375), ([0, 0], 0.375), ([1, -1], 0.125), ([1, 0], 0.125)];
        let mut expected = vec![0.0; got.len()];
        for (shift, area) in corners {
            expected.iter_mut().zip(convolution(&problem, shift)).for_each(|(sum, y)| *sum += area * y);
        }
        assert_eq!(got, expected, "{case:?}");
    }
}

/// Each deformable group moves its own channels, each tap is moved on its own, and the mask scales it.
#[test]
fn one_sample_at_a_time() {
    let case = exact(Case { n: 1, c: 4, o: 1, deformable_groups: 2, has_mask: true, ..Case::default() });
    let case = Case { has_mask: true, h: 5, w: 6, kernel: [2, 3], ..case };
    let mut problem = Problem::new(&case);
    let [ho, wo] = case.output();
    for (d, i, j, p, q) in [(0, 0, 0, 0, 0), (0, 1, 2, ho - 1, 0), (1, 0, 1, 2, 3), (1, 1, 0, 1, wo - 1)] {
        let channel = d * 6 + i * 3 + j;
        problem.mask.as_mut().unwrap().fill(|at| if at[1] == channel && at[2] == p && at[3] == q { 3.0 } else { 0.0 });
        problem.offset.fill(|at| {
            if at[1] == 2 * channel {
                1.0
            } else if at[1] == 2 * channel + 1 {
                -1.0
            } else {
                7.0
            }
        });
        let bias = problem.bias.as_ref().unwrap().get(&[0]);
        let y = reference::forward(&problem);
        for (index, got) in problem.y().indices().zip(&y) {
            let mut expected = bias;
            if index[2] == p && index[3] == q {
                for c in 2 * d..2 * d + 2 {
                    let pixel = padded(&problem.x, 0, c, p - 1 + i + 1, q - 1 + j - 1);
                    expected += 3.0 * problem.weight.get(&[0, c, i, j]) * pixel;
                }
            }
            assert_eq!(value(got), expected, "sample {d} {i} {j} of [{p}, {q}], y{index:?}");
        }
    }
}

/// A 2x2 image sampled by one tap: all the numbers are worked out by hand.
#[test]
fn borders_of_the_image_and_of_the_range() {
    let case =
        Case { n: 1, c: 1, h: 2, w: 2, o: 1, kernel: [1, 1], pad_before: [0, 0], pad_after: [0, 0], ..Case::default() };
    let case = Case { has_mask: false, bias: None, stride: [2, 2], ..case };
    let mut problem = Problem::new(&case);
    problem.x.fill(|index| (1 + 2 * index[2] + index[3]) as f64);
    problem.weight.fill(|_| 1.0);
    let (inf, nan, tiny) = (f64::INFINITY, f64::NAN, 2f64.powi(-24));
    // Offset, S, dS/dpy, dS/dpx, number of corners inside.
    let table = [
        ([0.0, 0.0], 1.0, 2.0, 1.0, 4),
        ([0.5, 0.5], 2.5, 2.0, 1.0, 4),
        ([-0.0, 0.25], 1.25, 2.0, 1.0, 4),
        ([1.0, 1.0], 4.0, -4.0, -4.0, 1),
        ([1.5, 0.0], 1.5, -3.0, 0.5, 2),
        ([-0.5, 0.0], 0.5, 1.0, 0.5, 2),
        ([-1.0, 0.0], 0.0, 0.0, 0.0, 0),
        ([-1.0 + tiny, 0.0], tiny, 1.0, tiny, 2),
        ([2.0, 0.0], 0.0, 0.0, 0.0, 0),
        ([0.0, 2.0], 0.0, 0.0, 0.0, 0),
        ([nan, 0.0], 0.0, 0.0, 0.0, 0),
        ([0.0, inf], 0.0, 0.0, 0.0, 0),
        ([-inf, 0.0], 0.0, 0.0, 0.0, 0),
        ([1e30, -1e30], 0.0, 0.0, 0.0, 0),
    ];
    for ([dy, dx], sample, by_y, by_x, corners) in table {
        problem.offset.fill(|index| if index[1] == 0 { dy } else { dx });
        let y = reference::forward(&problem);
        assert_eq!(value(&y[0]), sample, "S at {dy}, {dx}");
        assert_eq!(y[0].sum.terms, corners, "terms at {dy}, {dx}");
        let mut gradients = problem.gradients();
        gradients.y.fill(|_| 1.0);
        let gradients = reference::backward(&problem, &gradients.y);
        let got = [value(&gradients.offset[0]), value(&gradients.offset[1]), value(&gradients.mask[0])];
        assert_eq!(got, [by_y, by_x, sample], "gradients at {dy}, {dx}");
    }
}

#[test]
fn coordinates_are_rounded_once() {
    let (far, quarter) = ((1 << 23) + 1, 0.25);
    assert_eq!(Dtype::F32.coordinate(far, quarter), far as f64, "f32 has no quarters there");
    assert_eq!(Dtype::F64.coordinate(far, quarter), far as f64 + quarter);
    assert_eq!(
        Dtype::F32.coordinate(-far, far as f64 + 2f64.powi(-30)),
        0.0,
        "the offset is an f32 before it is added"
    );
    assert_eq!(Dtype::F32.coordinate(1, 2f64.powi(-24)), 1.0, "ties go to even");
    assert_eq!(Dtype::F32.coordinate(1, 3.0 * 2f64.powi(-24)), 1.0 + 2f64.powi(-22));
}

#[test]
fn what_is_not_finite_stays_where_it_belongs() {
    let case =
        Case { n: 1, c: 1, h: 1, w: 3, o: 1, kernel: [1, 1], pad_before: [0, 0], pad_after: [0, 0], ..Case::default() };
    let mut problem = Problem::new(&Case { bias: None, offsets: Offsets::Zero, masks: Masks::Unit, ..case });
    let y =
        |problem: &Problem| -> Vec<bool> { reference::forward(problem).iter().map(|y| value(y).is_finite()).collect() };
    problem.x.fill(|index| if index[3] == 1 { f64::INFINITY } else { 1.0 });
    // Position 0 has pixel 1 as a corner of weight 0; position 2 has no corner there.
    assert_eq!(y(&problem), [false, false, true]);
    problem.x.fill(|_| 1.0);
    problem.mask.as_mut().unwrap().fill(|index| if index[3] == 0 { f64::NAN } else { 1.0 });
    problem.offset.fill(|_| -9.0);
    assert_eq!(y(&problem), [false, true, true], "a mask that is not finite counts out of range too");
    let gradients = problem.gradients();
    let got = reference::backward(&problem, &gradients.y);
    assert!(!value(&got.weight[0]).is_finite());
    assert!(got.mask.iter().chain(&got.offset).chain(&got.x).all(|g| value(g) == 0.0 && !g.unspecified));
}

/// Σ g·y, which all gradients are those of.
fn loss(problem: &Problem, grad_y: &Tensor) -> DoubleDouble {
    let mut sum = DoubleDouble::from(0.0);
    for (index, y) in grad_y.indices().zip(reference::forward(problem)) {
        sum += y.sum.value * DoubleDouble::from(grad_y.get(&index));
    }
    sum
}

/// The loss is linear in every single element, as long as samples stay in their cells: central differences are exact.
fn assert_differences(
    problem: &mut Problem,
    grad_y: &Tensor,
    name: &str,
    expected: &[Expected],
    tensor: fn(&mut Problem) -> &mut Tensor,
) {
    const STEP: f64 = 1.0 / 1024.0;
    let mut random = Random::new(7, 7);
    let indices: Vec<_> = tensor(problem).indices().collect();
    for _ in 0..cases(60).min(indices.len() as u32) {
        let flat = random.below(indices.len() as u64) as usize;
        let before = tensor(problem).get(&indices[flat]);
        let mut at = |step: f64| {
            tensor(problem).set(&indices[flat], before + step);
            (loss(problem, grad_y), tensor(problem).get(&indices[flat]))
        };
        let ((above, high), (below, low)) = (at(STEP), at(-STEP));
        at(0.0);
        let slope = (above - below).parts().0 / (high - low);
        let Expected { sum, unspecified } = expected[flat];
        let error = (slope - sum.value.parts().0).abs();
        // The coordinate is rounded to f64, which the step magnifies.
        assert!(
            !unspecified && error <= 1e-11 * sum.magnitude.max(1.0),
            "{name}{:?}: {slope} and {sum:?}",
            indices[flat]
        );
    }
}

#[test]
fn gradients_are_finite_differences() {
    let case = Case { offsets: Offsets::InsideCells, masks: Masks::Signed, n: 2, h: 5, w: 6, ..Case::default() }
        .of(Dtype::F64);
    for case in [
        Case { c: 6, o: 4, groups: 2, deformable_groups: 3, ..case.clone() },
        Case { kernel: [2, 3], stride: [2, 1], dilation: [1, 2], pad_before: [0, 3], pad_after: [2, 1], ..case },
    ] {
        let mut problem = Problem::new(&case);
        let Gradients { y: grad_y, .. } = problem.gradients();
        let expected = reference::backward(&problem, &grad_y);
        assert_differences(&mut problem, &grad_y, "grad_x", &expected.x, |problem| &mut problem.x);
        assert_differences(&mut problem, &grad_y, "grad_offset", &expected.offset, |problem| &mut problem.offset);
        assert_differences(&mut problem, &grad_y, "grad_weight", &expected.weight, |problem| &mut problem.weight);
        assert_differences(&mut problem, &grad_y, "grad_mask", &expected.mask, |problem| {
            problem.mask.as_mut().unwrap()
        });
        assert_differences(&mut problem, &grad_y, "grad_bias", &expected.bias, |problem| {
            problem.bias.as_mut().unwrap()
        });
    }
}

#[test]
fn double_doubles_hold_what_f64_loses() {
    let (one, tiny) = (DoubleDouble::from(1.0), DoubleDouble::from(2f64.powi(-80)));
    assert_eq!((one + tiny - one).parts(), (2f64.powi(-80), 0.0));
    // (1 + t)(1 - t) = 1 - t², t = 2^-40.
    let t = DoubleDouble::from(2f64.powi(-40));
    assert_eq!(((one + t) * (one - t) - one).parts(), (-2f64.powi(-80), 0.0));
    let third = 1.0 / 3.0;
    let exact = DoubleDouble::from(third) * DoubleDouble::from(3.0);
    assert_eq!((exact - one).parts().0, third.mul_add(3.0, -1.0));
}

#[test]
fn tensors_keep_their_layouts() {
    let dims = [2, 3, 4, 5];
    let layouts = [Layout::Contiguous, Layout::channels_last(), Layout::strided(&[3, 1, 0, 2])];
    for layout in layouts {
        let mut tensor = Tensor::new(Dtype::F16, &dims, &layout, 3);
        let mut count = 0.0;
        tensor.fill(|_| {
            count += 1.0;
            count
        });
        let values: Vec<f64> = tensor.indices().map(|index| tensor.get(&index)).collect();
        assert_eq!(values, (1..=120).map(f64::from).collect::<Vec<_>>(), "{layout:?}");
        tensor.assert_surroundings("a tensor that was only filled");
    }
    assert_eq!(Layout::channels_last().strides(&dims), [60, 1, 15, 3]);
    assert_eq!(Layout::broadcast(4, &[0, 2]).strides(&dims), [0, 5, 0, 1]);
}

#[test]
fn halves_round_to_the_nearest() {
    let cell = |dtype: Dtype, value| dtype.rounding_cell(value);
    assert_eq!(cell(Dtype::F16, 1.0), (1.0 - 2f64.powi(-12), 1.0 + 2f64.powi(-11)));
    assert_eq!(cell(Dtype::F16, -1.0), (-1.0 - 2f64.powi(-11), -1.0 + 2f64.powi(-12)));
    assert_eq!(cell(Dtype::F16, 0.0), (-2f64.powi(-25), 2f64.powi(-25)));
    assert_eq!(cell(Dtype::F16, 65504.0), (65488.0, 65520.0));
    assert_eq!(cell(Dtype::F16, f64::INFINITY), (65520.0, f64::INFINITY));
    assert_eq!(cell(Dtype::Bf16, 1.0), (1.0 - 2f64.powi(-9), 1.0 + 2f64.powi(-8)));
    assert_eq!(cell(Dtype::F32, 1.5), (1.5, 1.5));
}
