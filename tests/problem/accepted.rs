//! What the rules let through, and what a descriptor that leaves things out means.

use crate::fixture::*;
use deformconv::abi::*;
use deformconv::problem::{Backend, DType, Problem, Tensor, output_shape};

#[track_caller]
fn accept(p: &dcn_problem) -> Problem {
    Problem::new(p).expect("the problem keeps the rules")
}

fn layout(tensor: &Tensor) -> (Vec<i64>, Vec<i64>) {
    (tensor.dims[..tensor.rank].to_vec(), tensor.strides[..tensor.rank].to_vec())
}

#[test]
fn defaults() {
    let problem = accept(&dcn_problem { groups: 0, weight: tensor(&[6, 4, 3, 3]), ..problem() });
    let g = problem.geometry;
    assert_eq!((problem.backend, problem.passes, problem.dtype), (Backend::Cpu, 3, DType::F32));
    assert_eq!((g.n, g.c, g.h, g.w, g.o), (2, 4, 5, 7, 6));
    assert_eq!((g.kernel_h, g.kernel_w, g.out_h, g.out_w), (3, 3, 5, 7));
    assert_eq!((g.stride_h, g.stride_w, g.dilation_h, g.dilation_w, g.groups), (1, 1, 1, 1, 1));
    assert_eq!((g.taps(), g.positions(), g.channels_per_group(), g.outputs_per_group()), (9, 35, 4, 6));
    assert_eq!(g.channels_per_deformable_group(), 2);
    let image = |channels| (vec![2, channels, 5, 7], vec![channels * 35, 35, 7, 1]);
    assert_eq!(layout(&problem.x), image(4));
    assert_eq!(layout(&problem.offset), image(36));
    assert_eq!(layout(&problem.mask.unwrap()), image(18));
    assert_eq!(layout(&problem.y), image(6));
    assert_eq!(layout(&problem.grad_y), image(6));
    assert_eq!(layout(&problem.grad_x), image(4));
    assert_eq!(layout(&problem.grad_offset), image(36));
    assert_eq!(layout(&problem.grad_mask.unwrap()), image(18));
    assert_eq!(layout(&problem.weight), (vec![6, 4, 3, 3], vec![36, 9, 3, 1]));
    assert_eq!(layout(&problem.grad_weight), layout(&problem.weight));
    assert_eq!(layout(&problem.grad_bias), (vec![6], vec![1]));
}

#[test]
fn each_side_and_axis_has_its_own_numbers() {
    let p = dcn_problem {
        stride_h: 2,
        stride_w: 3,
        dilation_h: 2,
        dilation_w: 1,
        pad_top: 1,
        pad_left: 2,
        pad_bottom: 3,
        pad_right: 4,
        x: tensor(&[1, 4, 10, 20]),
        weight: tensor(&[6, 2, 3, 5]),
        // (10 + 4 - 5)/2 + 1 rounded down, (20 + 6 - 5)/3 + 1
        offset: tensor(&[1, 60, 5, 8]),
        mask: tensor(&[1, 30, 5, 8]),
        ..problem()
    };
    let g = accept(&p).geometry;
    assert_eq!((g.out_h, g.out_w, g.kernel_h, g.kernel_w), (5, 8, 3, 5));
    assert_eq!((g.stride_h, g.stride_w, g.dilation_h, g.dilation_w), (2, 3, 2, 1));
    assert_eq!((g.pad_top, g.pad_left, g.pad_bottom, g.pad_right), (1, 2, 3, 4));
}

#[test]
fn optional_tensors_may_be_absent() {
    let problem = accept(&dcn_problem { mask: Default::default(), bias: Default::default(), ..problem() });
    assert!(problem.mask.is_none() && problem.bias.is_none() && problem.grad_mask.is_none());
    assert_eq!(problem.grad_bias.elements(), 6);
}

/// Of an absent tensor's descriptor only the reserved fields count.
#[test]
fn absent_descriptors_may_hold_anything_else() {
    let mut p = problem();
    p.mask = dcn_tensor_desc { dtype: 99, rank: 0, layout: -7, dims: [i64::MIN; 5], strides: [i64::MAX; 5], ..p.mask };
    (p.y, p.grad_x) = (p.mask, p.mask);
    assert!(accept(&p).mask.is_none());
}

#[test]
fn gradients_follow_their_tensors() {
    let channels_last = [140, 1, 28, 4];
    let p = dcn_problem {
        x: strided(&[2, 4, 5, 7], &channels_last),
        // One mask for all images, stored upside down.
        mask: strided(&[2, 18, 5, 7], &[0, 35, -7, 1]),
        offset: strided(&[2, 36, 5, 7], &[-1260, 35, -7, 1]),
        y: strided(&[2, 6, 5, 7], &[210, 1, 42, 6]),
        ..problem()
    };
    let problem = accept(&p);
    assert_eq!(problem.grad_x.strides[..4], channels_last);
    assert_eq!(problem.grad_offset.strides[..4], [-1260, 35, -7, 1]);
    assert_eq!(problem.mask.unwrap().strides[..4], [0, 35, -7, 1]);
    assert_eq!(problem.grad_mask.unwrap().strides[..4], [630, 35, 7, 1], "the mask's strides overlap");
    assert_eq!(problem.grad_y.strides[..4], [210, 1, 42, 6]);

    // Described ones stand for themselves, and grad_y is an input.
    let grad_y = strided(&[2, 6, 5, 7], &[0, 1, 0, 0]);
    let problem = accept(&dcn_problem { grad_x: tensor(&[2, 4, 5, 7]), grad_y, ..p });
    assert!(problem.grad_x.is_contiguous());
    assert_eq!(problem.grad_y.strides[..4], [0, 1, 0, 0]);
}

#[test]
fn gradient_descriptors_are_not_read_without_the_backward_pass() {
    let garbage = dcn_tensor_desc { dtype: 99, rank: 3, reserved0: 1, ..Default::default() };
    let p = dcn_problem { grad_x: garbage, grad_mask: garbage, grad_y: garbage, ..problem() };
    assert_eq!(accept(&dcn_problem { passes: 1 << DCN_PASS_FORWARD, ..p }).passes, 1);
    assert_eq!(Problem::new(&dcn_problem { passes: 1 << DCN_PASS_BACKWARD, ..p }).unwrap_err().status, 2);
    assert_eq!(accept(&dcn_problem { passes: 1 << DCN_PASS_BACKWARD, ..problem() }).passes, 2);
}

#[test]
fn dtypes_and_backends() {
    for (value, dtype, size, name) in [
        (DCN_F32, DType::F32, 4, "f32"),
        (DCN_F64, DType::F64, 8, "f64"),
        (DCN_F16, DType::F16, 2, "f16"),
        (DCN_BF16, DType::Bf16, 2, "bf16"),
    ] {
        let mut p = dcn_problem { backend: DCN_BACKEND_ASCEND, ..described() };
        each_tensor(&mut p, |desc| desc.dtype = value);
        let problem = accept(&p);
        assert_eq!((problem.dtype, dtype.size(), dtype.name()), (dtype, size, name));
        assert_eq!((problem.backend, problem.grad_bias.dtype), (Backend::Ascend, dtype));
        assert_eq!(output_shape(&p).unwrap().dtype, value);
        if size == 2 {
            p.bias.dtype = DCN_F32;
            let problem = accept(&p);
            assert_eq!((problem.bias.unwrap().dtype, problem.grad_bias.dtype), (DType::F32, dtype));
        }
    }
}

#[test]
fn empty_batch() {
    let mut p = described();
    for (name, desc) in tensors(&mut p) {
        if !["weight", "bias", "grad_weight", "grad_bias"].contains(&name) {
            // Strides of tensors without elements say nothing, not even of outputs.
            *desc = dcn_tensor_desc { layout: DCN_LAYOUT_STRIDED, strides: [i64::MIN, 0, 0, i64::MAX, 3], ..*desc };
            desc.dims[0] = 0;
        }
    }
    let problem = accept(&p);
    assert!(problem.y.is_empty() && problem.grad_x.is_empty() && !problem.grad_weight.is_empty());
    assert_eq!(problem.x.strides[..4], [140, 35, 7, 1]);
    assert_eq!(output_shape(&p).unwrap().dims, [0, 6, 5, 7, 0]);
}

/// Strides, dilations and strides of the output that nothing steps along say nothing.
#[test]
fn numbers_that_do_not_matter_are_normalised() {
    let p = dcn_problem {
        stride_h: i64::MAX,
        stride_w: i64::MAX,
        dilation_h: i64::MAX,
        dilation_w: 3,
        pad_left: 0,
        pad_right: 0,
        x: strided(&[1, 4, 1, 7], &[i64::MIN, 7, i64::MAX, 1]),
        weight: tensor(&[6, 2, 1, 3]),
        offset: tensor(&[1, 12, 1, 1]),
        mask: tensor(&[1, 6, 1, 1]),
        y: strided(&[1, 6, 1, 1], &[0, 1, 0, i64::MIN]),
        ..problem()
    };
    let problem = accept(&p);
    let g = problem.geometry;
    assert_eq!((g.out_h, g.out_w), (1, 1));
    assert_eq!((g.stride_h, g.stride_w, g.dilation_h, g.dilation_w), (1, 1, 1, 3));
    assert_eq!(problem.x.strides[..4], [28, 7, 7, 1]);
    assert_eq!(problem.y.strides[..4], [6, 1, 1, 1]);
}

/// The largest values that are allowed; one more is refused (see `refused`).
#[test]
fn limits() {
    let shape = |change: fn(&mut dcn_problem)| {
        let mut p = problem();
        change(&mut p);
        output_shape(&p).expect("within the limits").dims[..4].to_vec()
    };
    assert_eq!(shape(|p| p.pad_bottom = (1 << 24) - 6), [2, 6, (1 << 24) - 2, 7]);
    assert_eq!(shape(|p| (p.x.dims[3], p.stride_w) = ((1 << 24) - 2, 1 << 23)), [2, 6, 5, 2]);
    assert_eq!(shape(|p| (p.weight.dims[2], p.pad_top) = (1 << 15, 1 << 15)), [2, 6, 7, 7]);
    assert_eq!(shape(|p| (p.dilation_h, p.dilation_w) = (3, 4)), [2, 6, 1, 1]);
    let f64_limit = shape(|p| {
        each_tensor(p, |desc| desc.dtype = DCN_F64);
        (p.pad_top, p.stride_h) = ((1 << 53) - 6, 1 << 53);
    });
    assert_eq!(f64_limit, [2, 6, 1, 7]);
    let far = strided(&[2, 4, 5, 7], &[(1 << 61) - 141, 35, 7, 1]);
    assert_eq!(accept(&dcn_problem { x: far, ..problem() }).x.extent(), (0, (1 << 61) - 2));
}

#[test]
fn output_shape_needs_no_offset_and_agrees_with_the_plan() {
    let mut p = dcn_problem { offset: Default::default(), mask: Default::default(), stride_w: 2, ..problem() };
    p.y = dcn_tensor_desc { rank: 7, ..Default::default() };
    p.flags = DCN_CHECK_MX_DRIVING;
    let y = output_shape(&p).unwrap();
    assert_eq!((y.dtype, y.rank, y.layout, y.reserved0, y.reserved), (DCN_F32, 4, DCN_LAYOUT_CONTIGUOUS, 0, [0; 4]));
    assert_eq!((y.dims, y.strides), ([2, 6, 5, 4, 0], [120, 20, 4, 1, 0]));
    let p = dcn_problem { flags: 0, offset: tensor(&[2, 36, 5, 4]), y, ..p };
    assert_eq!(layout(&accept(&p).y), (vec![2, 6, 5, 4], vec![120, 20, 4, 1]));
}

#[test]
fn mx_driving_takes_the_example_with_stride_2() {
    let g = accept(&mx_driving()).geometry;
    assert_eq!((g.out_h, g.out_w), (50, 100));
}
