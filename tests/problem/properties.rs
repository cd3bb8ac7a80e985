//! Random descriptors: none makes a check panic, and what is accepted is what the contract allows.

use crate::effort;
use crate::fixture::{strided, tensor, tensors};
use crate::oracle::{self, View};
use deformconv::abi::*;
use deformconv::problem::{Problem, Tensor, output_shape};
use proptest::prelude::*;

const INTERESTING: [i64; 16] = [
    0,
    1,
    -1,
    2,
    3,
    64,
    i64::MIN,
    i64::MAX,
    i32::MAX as i64,
    i32::MIN as i64,
    1 << 15,
    1 << 24,
    1 << 53,
    1 << 59,
    1 << 61,
    -(1 << 62),
];

fn any_number() -> impl Strategy<Value = i64> {
    prop_oneof![3 => prop::sample::select(&INTERESTING[..]), 1 => -4_i64..9, 1 => any::<i64>()]
}

/// Every number of a problem but `struct_size`, which is not looked at behind the boundary.
fn numbers<'a>(p: &'a mut dcn_problem) -> Vec<Box<dyn FnMut(i64) + 'a>> {
    fn word<'a, T: 'a>(field: &'a mut T, narrow: fn(i64) -> T) -> Box<dyn FnMut(i64) + 'a> {
        Box::new(move |value| *field = narrow(value))
    }
    let mut all = Vec::new();
    let dcn_problem { backend, flags, passes, reserved0, stride_h, stride_w, pad_top, pad_left, .. } = p;
    let dcn_problem { pad_bottom, pad_right, dilation_h, dilation_w, groups, deformable_groups, .. } = p;
    all.push(word(backend, |v| v as i32));
    all.extend([flags, passes, reserved0].map(|field| word(field, |v| v as u32)));
    all.extend([stride_h, stride_w, pad_top, pad_left].map(|field| word(field, |v| v)));
    all.extend([pad_bottom, pad_right, dilation_h, dilation_w, groups, deformable_groups].map(|f| word(f, |v| v)));
    let dcn_problem { x, offset, mask, weight, bias, y, .. } = p;
    let dcn_problem { grad_y, grad_x, grad_offset, grad_mask, grad_weight, grad_bias, .. } = p;
    let descs = [x, offset, mask, weight, bias, y, grad_y, grad_x, grad_offset, grad_mask, grad_weight, grad_bias];
    for desc in descs {
        let dcn_tensor_desc { dtype, rank, layout, reserved0, dims, strides, reserved } = desc;
        all.extend([dtype, rank, layout].map(|field| word(field, |v| v as i32)));
        all.push(word(reserved0, |v| v as u32));
        all.extend(dims.iter_mut().chain(strides).chain(reserved).map(|field| word(field, |v| v)));
    }
    all
}

/// How one tensor lies in memory: an order of its dimensions from the innermost, gaps, directions.
#[derive(Clone, Debug)]
struct Layout {
    order: Vec<usize>,
    gaps: [i64; 4],
    backwards: [bool; 4],
    broadcast: [bool; 4],
    kind: u8,
}

fn layout() -> impl Strategy<Value = Layout> {
    let order = Just(vec![0, 1, 2, 3]).prop_shuffle();
    (order, prop::array::uniform4(0_i64..3), any::<[bool; 4]>(), any::<[bool; 4]>(), 0_u8..4)
        .prop_map(|(order, gaps, backwards, broadcast, kind)| Layout { order, gaps, backwards, broadcast, kind })
}

impl Layout {
    fn describe(&self, dims: &[i64], input: bool) -> dcn_tensor_desc {
        if self.kind == 0 {
            return tensor(dims);
        }
        let mut strides = [0; 4];
        let mut stride = 1;
        for &i in self.order.iter().filter(|&&i| i < dims.len()) {
            strides[i] = if self.backwards[i] { -stride } else { stride };
            stride = stride * dims[i].max(1) + self.gaps[i];
            if input && self.kind == 1 && self.broadcast[i] {
                strides[i] = 0;
            }
        }
        strided(dims, &strides)
    }
}

prop_compose! {
    /// A problem that keeps every rule.
    fn valid()(
        (n, groups, per_group, outputs) in (0_i64..3, 1_i64..4, 1_i64..5, 1_i64..4),
        (kernel, stride, dilation) in (prop::array::uniform2(1_i64..4), prop::array::uniform2(0_i64..4), prop::array::uniform2(0_i64..3)),
        (pads, extra) in (prop::array::uniform4(0_i64..3), prop::array::uniform2(0_i64..5)),
        (d_choice, dtype, backend, passes) in (0_usize..8, 0..4_i32, 0..2_i32, 0..4_u32),
        (bias_f32, present, layouts) in (any::<bool>(), any::<[bool; 9]>(), prop::collection::vec(layout(), 12)),
    ) -> dcn_problem {
        let (c, o) = (groups * per_group, groups * outputs);
        let divisors: Vec<_> = (1..=c).filter(|d| c % d == 0).collect();
        let d = divisors[d_choice % divisors.len()];
        let taps = kernel[0] * kernel[1];
        let reach = |a: usize| dilation[a].max(1) * (kernel[a] - 1) + 1;
        let size = |a: usize| (reach(a) + extra[a] - pads[a] - pads[a + 2]).max(1);
        let out = |a: usize| (size(a) + pads[a] + pads[a + 2] - reach(a)) / stride[a].max(1) + 1;
        let image = |channels| vec![n, channels, out(0), out(1)];
        let shapes = [
            vec![n, c, size(0), size(1)], image(2 * d * taps), image(d * taps), vec![o, per_group, kernel[0], kernel[1]],
            vec![o], image(o), image(o), vec![n, c, size(0), size(1)], image(2 * d * taps), image(d * taps),
            vec![o, per_group, kernel[0], kernel[1]], vec![o],
        ];
        let mut p = dcn_problem {
            struct_size: size_of::<dcn_problem>(), backend, passes, stride_h: stride[0], stride_w: stride[1],
            pad_top: pads[0], pad_left: pads[1], pad_bottom: pads[2], pad_right: pads[3],
            dilation_h: dilation[0], dilation_w: dilation[1], groups, deformable_groups: d, ..Default::default()
        };
        let optional = ["mask", "bias", "y", "grad_y", "grad_x", "grad_offset", "grad_mask", "grad_weight", "grad_bias"];
        for (i, (name, desc)) in tensors(&mut p).into_iter().enumerate() {
            let input = ["x", "offset", "mask", "weight", "bias", "grad_y"].contains(&name);
            let has_mask = name != "grad_mask" || present[0];
            if has_mask && optional.iter().position(|n| *n == name).is_none_or(|at| present[at]) {
                *desc = layouts[i].describe(&shapes[i], input);
                desc.dtype = if name == "bias" && bias_f32 && dtype >= DCN_F16 { DCN_F32 } else { dtype };
            }
        }
        p
    }
}

fn mutated(most: usize) -> impl Strategy<Value = dcn_problem> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any_number()), 0..=most);
    (valid(), changes).prop_map(|(mut p, changes)| {
        for (index, value) in changes {
            let mut numbers = numbers(&mut p);
            let at = index.index(numbers.len());
            numbers[at](value);
        }
        p
    })
}

fn view(tensor: &Tensor) -> View {
    let wide = |values: [i64; 5]| values[..tensor.rank].iter().map(|&v| v.into()).collect();
    View { size: tensor.dtype.size() as i128, dims: wide(tensor.dims), strides: wide(tensor.strides) }
}

/// Accepted exactly where the oracle allows it, with the tensors it expects; in-range queries do not overflow.
fn agrees(p: &dcn_problem) -> Result<bool, TestCaseError> {
    let checked = Problem::new(p);
    if let Err(error) = &checked {
        prop_assert!(error.status != DCN_OK && !error.message.is_empty());
    }
    let shape = output_shape(p);
    let Some(expected) = oracle::allowed(p) else {
        prop_assert!(checked.is_err(), "accepted: {checked:?}");
        return Ok(false);
    };
    let problem = checked.map_err(|error| TestCaseError::fail(format!("refused: {error}")))?;
    let Problem { x, offset, mask, weight, bias, y, .. } = problem;
    let Problem { grad_y, grad_x, grad_offset, grad_mask, grad_weight, grad_bias, .. } = problem;
    let forward = [Some(x), Some(offset), mask, Some(weight), bias, Some(y)];
    let backward = [Some(grad_y), Some(grad_x), Some(grad_offset), grad_mask, Some(grad_weight), Some(grad_bias)];
    let tensors = [forward, backward].concat();
    prop_assert_eq!(tensors.iter().map(|t| t.as_ref().map(view)).collect::<Vec<_>>(), expected);
    for tensor in tensors.iter().flatten() {
        let (low, high) = tensor.extent();
        let bytes = (i128::from(high) - i128::from(low) + 1) * tensor.dtype.size() as i128;
        prop_assert!(low <= 0 && bytes >= 0 && bytes <= i64::MAX.into());
        prop_assert_eq!(i128::from(tensor.elements()), view(tensor).dims.iter().product::<i128>());
        prop_assert_eq!(tensor.overlaps_itself(), oracle::overlaps(&view(tensor)));
        let _ = (tensor.is_dense(), tensor.is_contiguous(), tensor.is_channels_last());
    }
    prop_assert_eq!(shape.unwrap().dims[..4].to_vec(), y.dims[..4].to_vec());
    let g = problem.geometry;
    prop_assert_eq!((g.out_h, g.out_w, g.taps()), (y.dims[2], y.dims[3], weight.dims[2] * weight.dims[3]));
    prop_assert_eq!(g.positions() * g.taps() * g.deformable_groups * 2, offset.dims[1..4].iter().product::<i64>());
    // Every base coordinate lies in the padded image.
    prop_assert!((g.out_h - 1) * g.stride_h + (g.kernel_h - 1) * g.dilation_h < g.pad_top + g.h + g.pad_bottom);
    prop_assert!((g.out_w - 1) * g.stride_w + (g.kernel_w - 1) * g.dilation_w < g.pad_left + g.w + g.pad_right);
    prop_assert!(problem.passes == 1 || problem.passes == 2 || problem.passes == 3);
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: effort::cases(4000), failure_persistence: None, ..Default::default() })]

    #[test]
    fn valid_problems_are_accepted(p in valid()) {
        prop_assert!(agrees(&p)?);
    }

    #[test]
    fn changed_problems_agree_with_the_contract(p in mutated(3)) {
        agrees(&p)?;
    }

    #[test]
    fn garbage_is_no_problem(p in mutated(150), all in prop::collection::vec(any_number(), 200)) {
        agrees(&p)?;
        let mut p = p;
        numbers(&mut p).iter_mut().zip(all).for_each(|(set, value)| set(value));
        agrees(&p)?;
    }

    /// Huge numbers that mean something: what is drawn lies about the limits of what fits.
    #[test]
    fn large_problems_agree_with_the_contract(
        p in valid(),
        exponents in (prop::array::uniform3(0_u32..62), 0_u32..4),
        pads in prop::array::uniform2(0_i64..1 << 20),
    ) {
        let ([n, c, o], dtype) = exponents;
        let (n, c, o) = (1_i64 << n, 1_i64 << c, 1_i64 << o);
        for groups in [1, c.min(o)] {
            let mut p = dcn_problem { groups, deformable_groups: 1, pad_top: pads[0], pad_left: pads[1], ..p };
            for (_, desc) in tensors(&mut p) {
                *desc = dcn_tensor_desc { dtype: dtype as i32, ..Default::default() };
            }
            p.x = tensor(&[n, c, 9, 9]);
            p.weight = tensor(&[o, c / groups, 2, 3]);
            p.x.dtype = dtype as i32;
            p.weight.dtype = dtype as i32;
            let Ok(y) = output_shape(&p) else {
                p.offset = tensor(&[n, 12, 1, 1]);
                prop_assert!(!agrees(&p)?);
                continue;
            };
            p.offset = dcn_tensor_desc { dtype: dtype as i32, ..tensor(&[n, 12, y.dims[2], y.dims[3]]) };
            agrees(&p)?;
        }
    }
}
