//! Every rule on descriptors: the status and what the message says.

use crate::fixture::*;
use deformconv::abi::*;
use deformconv::error::Error;
use deformconv::problem::{Problem, output_shape};

type Change = fn(&mut dcn_problem);

fn refusal(base: dcn_problem, change: impl Fn(&mut dcn_problem)) -> Error {
    Problem::new(&base).expect("the fixture is valid");
    let mut p = base;
    change(&mut p);
    Problem::new(&p).expect_err("the change breaks a rule")
}

#[track_caller]
fn check(base: fn() -> dcn_problem, status: dcn_status, rules: &[(Change, &str)]) {
    for (i, (change, message)) in rules.iter().enumerate() {
        let error = refusal(base(), change);
        assert_eq!((error.status, error.message.as_str()), (status, *message), "rule {i}");
    }
}

#[test]
fn unknown_values() {
    check(
        described,
        DCN_ERROR_INVALID_ARGUMENT,
        &[
            (|p| p.backend = 2, "backend is 2, expected DCN_BACKEND_CPU or DCN_BACKEND_ASCEND"),
            (|p| p.backend = -1, "backend is -1, expected DCN_BACKEND_CPU or DCN_BACKEND_ASCEND"),
            (|p| p.flags = 2, "flags is 0x2, expected 0 or DCN_CHECK_MX_DRIVING"),
            (|p| p.flags = 1 << 31 | 1, "flags is 0x80000001, expected 0 or DCN_CHECK_MX_DRIVING"),
            (|p| p.passes = 4, "passes is 0x4, expected bits 1 << DCN_PASS_..., or 0 for all"),
            (|p| p.passes = 7, "passes is 0x7, expected bits 1 << DCN_PASS_..., or 0 for all"),
            (|p| p.reserved0 = 1, "reserved0 is 1, expected 0"),
            (|p| p.x.dtype = 4, "x.dtype is 4, expected DCN_F32, DCN_F64, DCN_F16 or DCN_BF16"),
            (|p| p.x.dtype = -1, "x.dtype is -1, expected DCN_F32, DCN_F64, DCN_F16 or DCN_BF16"),
            (|p| p.mask.layout = 2, "mask.layout is 2, expected DCN_LAYOUT_CONTIGUOUS or DCN_LAYOUT_STRIDED"),
            (|p| p.y.layout = -1, "y.layout is -1, expected DCN_LAYOUT_CONTIGUOUS or DCN_LAYOUT_STRIDED"),
        ],
    );
}

/// Every descriptor, also one of an absent tensor, obeys the rules that do not depend on its shape.
#[test]
fn every_descriptor_is_checked() {
    for i in 0..12 {
        let refuse = |change: fn(&mut dcn_tensor_desc)| {
            let mut p = described();
            let (name, desc) = tensors(&mut p).into_iter().nth(i).unwrap();
            change(desc);
            (name, Problem::new(&p).expect_err(name))
        };
        let check = |change, status, expected: &str| {
            let (name, error) = refuse(change);
            assert_eq!(error.status, status, "{name}");
            assert!(error.message.starts_with(&format!("{name}.{expected}")), "{name}.{expected}: {error}");
        };
        check(|d| d.reserved0 = 5, DCN_ERROR_INVALID_ARGUMENT, "reserved0 is 5, expected 0");
        check(|d| d.reserved[3] = 1, DCN_ERROR_INVALID_ARGUMENT, "reserved is [0, 0, 0, 1], expected zeros");
        check(
            |d| (d.rank, d.reserved[0]) = (0, -1),
            DCN_ERROR_INVALID_ARGUMENT,
            "reserved is [-1, 0, 0, 0], expected zeros",
        );
        check(|d| (d.rank, d.reserved0) = (0, 1), DCN_ERROR_INVALID_ARGUMENT, "reserved0 is 1, expected 0");
        check(|d| d.rank = 3, DCN_ERROR_INVALID_SHAPE, "rank is 3, expected ");
        check(|d| d.rank = 5, DCN_ERROR_INVALID_SHAPE, "rank is 5, expected ");
        check(|d| d.rank = -4, DCN_ERROR_INVALID_SHAPE, "rank is -4, expected ");
        check(|d| d.rank = i32::MAX, DCN_ERROR_INVALID_SHAPE, "rank is 2147483647, expected ");
        check(|d| d.layout = 2, DCN_ERROR_INVALID_ARGUMENT, "layout is 2, expected DCN_LAYOUT_CONTIGUOUS or ");
        check(|d| d.dtype = 9, DCN_ERROR_INVALID_ARGUMENT, "dtype is 9, expected DCN_F32, DCN_F64, DCN_F16 or ");
        check(|d| d.dims[0] = -1, DCN_ERROR_INVALID_SHAPE, "dims");
        check(
            |d| (d.layout, d.strides) = (DCN_LAYOUT_STRIDED, [i64::MIN; 5]),
            DCN_ERROR_INVALID_STRIDE,
            "strides is [-9223372036854775808",
        );
    }
}

#[test]
fn ranks() {
    check(
        described,
        DCN_ERROR_INVALID_SHAPE,
        &[
            (|p| p.x.rank = 3, "x.rank is 3, expected 4 ([N, C, H, W])"),
            (|p| p.x.rank = 0, "x.rank is 0 (absent), expected 4 ([N, C, H, W])"),
            (|p| p.offset.rank = 0, "offset.rank is 0 (absent), expected 4 ([N, 2*D*K, Ho, Wo])"),
            (|p| p.weight.rank = 0, "weight.rank is 0 (absent), expected 4 ([O, C/G, kh, kw])"),
            (|p| p.mask.rank = 1, "mask.rank is 1, expected 4 ([N, D*K, Ho, Wo])"),
            (|p| p.y.rank = 5, "y.rank is 5, expected 4 ([N, O, Ho, Wo])"),
            (|p| p.bias.rank = 4, "bias.rank is 4, expected 1 ([O])"),
            (|p| p.grad_bias.rank = 2, "grad_bias.rank is 2, expected 1 ([O])"),
        ],
    );
}

#[test]
fn dtypes() {
    check(
        described,
        DCN_ERROR_INVALID_ARGUMENT,
        &[
            (|p| p.weight.dtype = DCN_F64, "weight.dtype is f64, expected f32 (the dtype of x)"),
            (|p| p.bias.dtype = DCN_F16, "bias.dtype is f16, expected f32 (the dtype of x)"),
            (|p| p.y.dtype = DCN_BF16, "y.dtype is bf16, expected f32 (the dtype of x)"),
            (|p| p.grad_bias.dtype = DCN_F64, "grad_bias.dtype is f64, expected f32 (the dtype of x)"),
            (
                |p| {
                    each_tensor(p, |desc| desc.dtype = DCN_F16);
                    p.bias.dtype = DCN_BF16;
                },
                "bias.dtype is bf16, expected f16 (the dtype of x) or f32",
            ),
            (
                |p| {
                    each_tensor(p, |desc| desc.dtype = DCN_BF16);
                    p.grad_bias.dtype = DCN_F32;
                },
                "grad_bias.dtype is f32, expected bf16 (the dtype of x)",
            ),
            (
                |p| {
                    each_tensor(p, |desc| desc.dtype = DCN_F64);
                    p.bias.dtype = DCN_F32;
                },
                "bias.dtype is f32, expected f64 (the dtype of x)",
            ),
        ],
    );
}

#[test]
fn numbers_of_the_operator() {
    const DEFAULT: &str = "expected 1 or more, or 0 for the default, 1";
    let check = |change: Change, message: &str| {
        let error = refusal(described(), change);
        assert_eq!((error.status, error.message), (DCN_ERROR_INVALID_ARGUMENT, message.replace("DEFAULT", DEFAULT)));
    };
    check(|p| p.stride_h = -1, "stride_h is -1, DEFAULT");
    check(|p| p.stride_w = i64::MIN, "stride_w is -9223372036854775808, DEFAULT");
    check(|p| p.dilation_h = -2, "dilation_h is -2, DEFAULT");
    check(|p| p.dilation_w = -3, "dilation_w is -3, DEFAULT");
    check(|p| p.groups = -1, "groups is -1, DEFAULT");
    check(|p| p.deformable_groups = -1, "deformable_groups is -1, DEFAULT");
    check(|p| p.pad_top = -1, "pad_top is -1, expected 0 or more");
    check(|p| p.pad_left = -1, "pad_left is -1, expected 0 or more");
    check(|p| p.pad_bottom = -1, "pad_bottom is -1, expected 0 or more");
    check(|p| p.pad_right = i64::MIN, "pad_right is -9223372036854775808, expected 0 or more");
}

#[test]
fn ranges_of_dimensions() {
    check(
        described,
        DCN_ERROR_INVALID_SHAPE,
        &[
            (|p| p.x.dims[0] = -1, "x.dims[0] (N) is -1, expected 0 or more"),
            (|p| p.x.dims[1] = 0, "x.dims[1] (C) is 0, expected 1 or more"),
            (|p| p.x.dims[2] = 0, "x.dims[2] (H) is 0, expected 1 or more"),
            (|p| p.x.dims[3] = i64::MIN, "x.dims[3] (W) is -9223372036854775808, expected 1 or more"),
            (|p| p.weight.dims[0] = 0, "weight.dims[0] (O) is 0, expected 1 or more"),
            (|p| p.weight.dims[2] = 0, "weight.dims[2] (kh) is 0, expected 1 to 32768"),
            (|p| p.weight.dims[3] = 32769, "weight.dims[3] (kw) is 32769, expected 1 to 32768"),
            (|p| p.groups = 3, "groups is 3, expected a divisor of C = 4"),
            (|p| p.groups = 4, "groups is 4, expected a divisor of O = 6"),
            (|p| p.groups = i64::MAX, "groups is 9223372036854775807, expected a divisor of C = 4"),
            (|p| p.deformable_groups = 3, "deformable_groups is 3, expected a divisor of C = 4"),
            (
                |p| p.pad_bottom = (1 << 24) - 5,
                "pad_top + H + pad_bottom is 1 + 5 + 16777211, expected at most 16777216 for f32",
            ),
            (
                |p| (p.pad_left, p.x.dims[3], p.pad_right) = (i64::MAX, i64::MAX, i64::MAX),
                "pad_left + W + pad_right is 9223372036854775807 + 9223372036854775807 + 9223372036854775807, \
                 expected at most 16777216 for f32",
            ),
            (
                |p| {
                    each_tensor(p, |desc| desc.dtype = DCN_BF16);
                    p.pad_right = 1 << 24;
                },
                "pad_left + W + pad_right is 1 + 7 + 16777216, expected at most 16777216 for bf16",
            ),
            (
                |p| {
                    each_tensor(p, |desc| desc.dtype = DCN_F64);
                    p.pad_top = (1 << 53) - 5;
                },
                "pad_top + H + pad_bottom is 9007199254740987 + 5 + 1, expected at most 9007199254740992 for f64",
            ),
        ],
    );
}

#[test]
fn size_equation() {
    const SIZED: &str = "the size equation gives Ho x Wo = 5 x 7";
    let check = |change: Change, message: &str| {
        let error = refusal(described(), change);
        assert_eq!((error.status, error.message), (DCN_ERROR_INVALID_SHAPE, message.replace("SIZED", SIZED)));
    };
    check(|p| p.y.dims[2] = 4, "y.dims is [2, 6, 4, 7], expected [2, 6, 5, 7] (N, O, Ho, Wo; SIZED)");
    check(|p| p.y.dims[0] = 0, "y.dims is [0, 6, 5, 7], expected [2, 6, 5, 7] (N, O, Ho, Wo; SIZED)");
    check(
        |p| p.offset.dims[1] = 35,
        "offset.dims is [2, 35, 5, 7], expected [2, 36, 5, 7] (2*D*K = 2*2*9 channels; SIZED)",
    );
    check(|p| p.mask.dims[1] = 9, "mask.dims is [2, 9, 5, 7], expected [2, 18, 5, 7] (D*K = 2*9 channels; SIZED)");
    check(|p| p.weight.dims[1] = 4, "weight.dims is [6, 4, 3, 3], expected [6, 2, 3, 3] (C/G = 4/2 channels)");
    check(|p| p.bias.dims[0] = 4, "bias.dims is [4], expected [6] (O = 6)");
    check(|p| p.grad_y.dims[3] = 8, "grad_y.dims is [2, 6, 5, 8], expected [2, 6, 5, 7] (N, O, Ho, Wo; SIZED)");
    check(|p| p.grad_x.dims[1] = 8, "grad_x.dims is [2, 8, 5, 7], expected [2, 4, 5, 7] (N, C, H, W)");
    check(|p| p.grad_bias.dims[0] = 0, "grad_bias.dims is [0], expected [6] (O = 6)");
    check(
        |p| p.weight.dims[2] = 8,
        "pad_top + H + pad_bottom is 1 + 5 + 1 = 7, expected at least dilation_h*(kh-1) + 1 = 1*7 + 1 = 8",
    );
    check(
        |p| p.dilation_w = i64::MAX,
        "pad_left + W + pad_right is 1 + 7 + 1 = 9, \
         expected at least dilation_w*(kw-1) + 1 = 9223372036854775807*2 + 1 = 18446744073709551615",
    );
}

/// Input 100 x 200, stride 1, padding 1, kernel 3 and output 50 x 100 do not go together.
#[test]
fn published_example() {
    for flags in [0, DCN_CHECK_MX_DRIVING] {
        let error = refusal(mx_driving(), |p| (p.flags, p.stride_h, p.stride_w) = (flags, 1, 1));
        let message = "y.dims is [16, 64, 50, 100], expected [16, 64, 100, 200] \
                       (N, O, Ho, Wo; the size equation gives Ho x Wo = 100 x 200)";
        assert_eq!((error.status, error.message.as_str()), (DCN_ERROR_INVALID_SHAPE, message));
    }
}

/// Numbers that do not fit: each is one too large for an i64, whatever else is asked.
#[test]
fn products() {
    check(
        problem,
        DCN_ERROR_INVALID_SHAPE,
        &[
            (
                |p| p.x.dims[0] = i64::MAX,
                "2*N*O*Ho*Wo*(C/G)*K is 2*9223372036854775807*6*5*7*2*9, expected a number that fits 64 bits",
            ),
            (
                // An empty batch of images that are too large.
                |p| (p.x.dims[0], p.weight.dims[0]) = (0, 1 << 53),
                "2*N*O*Ho*Wo*(C/G)*K is 2*1*9007199254740992*5*7*2*9, expected a number that fits 64 bits",
            ),
            (
                |p| {
                    (p.x.dims[1], p.weight.dims[0], p.groups, p.deformable_groups) =
                        (1 << 60, 1 << 60, 1 << 60, 1 << 60);
                    (p.x.dims[2], p.x.dims[3]) = (1, 1);
                    p.weight.dims[1..4].copy_from_slice(&[1, 3, 3]);
                },
                "2*N*O*Ho*Wo*(C/G)*K is 2*2*1152921504606846976*1*1*1*9, expected a number that fits 64 bits",
            ),
            (
                // C = G = O = D = 2^61 pixels of one channel each: 2*C flops fit, the bytes of x do not.
                |p| {
                    *p = dcn_problem { x: tensor(&[1, 1 << 61, 1, 1]), weight: tensor(&[1 << 61, 1, 1, 1]), ..*p };
                    (p.groups, p.deformable_groups) = (1 << 61, 1);
                    (p.pad_top, p.pad_bottom, p.pad_left, p.pad_right) = (0, 0, 0, 0);
                },
                "x.dims is [1, 2305843009213693952, 1, 1] of f32, expected a size in bytes that fits 64 bits",
            ),
            (
                // An empty batch again; here the strides keep the output small.
                |p| {
                    p.x = tensor(&[0, 1 << 18, 1 << 22, 1 << 22]);
                    (p.groups, p.weight.dims[1]) = (2, 1 << 17);
                    (p.stride_h, p.stride_w) = (1 << 22, 1 << 22);
                },
                "x.dims is [0, 262144, 4194304, 4194304] of f32, expected a size in bytes that fits 64 bits",
            ),
            (
                |p| {
                    *p = dcn_problem { x: tensor(&[1, 1 << 59, 1, 1]), weight: tensor(&[1, 1 << 59, 1, 1]), ..*p };
                    (p.groups, p.deformable_groups) = (1, 1 << 59);
                    (p.pad_top, p.pad_bottom, p.pad_left, p.pad_right) = (0, 0, 1 << 22, 0);
                },
                "2*N*O*Ho*Wo*(C/G)*K is 2*1*1*1*4194305*576460752303423488*1, expected a number that fits 64 bits",
            ),
            (
                // Groups of one channel keep the flops small, one deformable group a channel the offsets large.
                |p| {
                    *p = dcn_problem { x: tensor(&[1, 1 << 59, 1, 1]), weight: tensor(&[1 << 59, 1, 1, 1]), ..*p };
                    (p.groups, p.deformable_groups) = (1 << 59, 1 << 59);
                    (p.pad_top, p.pad_bottom, p.pad_left, p.pad_right) = (0, 0, 0, 0);
                    p.offset = tensor(&[1, 1 << 60, 1, 1]);
                    p.mask.rank = 0;
                    p.bias.rank = 0;
                    each_tensor(p, |desc| desc.dtype = DCN_F64);
                },
                "offset.dims is [1, 1152921504606846976, 1, 1] of f64, expected a size in bytes that fits 64 bits",
            ),
        ],
    );
}

#[test]
fn strides() {
    let check = |change: Change, message: &str| {
        let error = refusal(described(), change);
        assert_eq!(error.status, DCN_ERROR_INVALID_STRIDE);
        assert_eq!(error.message, message);
    };
    check(
        // One element less fits, see `accepted`.
        |p| p.x = strided(&[2, 4, 5, 7], &[(1 << 61) - 140, 35, 7, 1]),
        "x.strides is [2305843009213693812, 35, 7, 1] for dims [2, 4, 5, 7] of f32, \
         expected an extent whose bytes fit 64 bits",
    );
    check(
        |p| p.offset = strided(&[2, 36, 5, 7], &[1 << 60, -(1 << 60), 7, 1]),
        "offset.strides is [1152921504606846976, -1152921504606846976, 7, 1] for dims [2, 36, 5, 7] of f32, \
         expected an extent whose bytes fit 64 bits",
    );
    const STEP: &str = "expected each stride of an output to step over all that the smaller ones reach";
    let check = |change: Change, message: &str| {
        let error = refusal(described(), change);
        assert_eq!((error.status, error.message), (DCN_ERROR_INVALID_STRIDE, message.replace("STEP", STEP)));
    };
    check(|p| p.y = strided(&[2, 6, 5, 7], &[0, 35, 7, 1]), "y.strides is [0, 35, 7, 1] for dims [2, 6, 5, 7], STEP");
    check(
        |p| p.grad_x = strided(&[2, 4, 5, 7], &[140, 35, 6, 1]),
        "grad_x.strides is [140, 35, 6, 1] for dims [2, 4, 5, 7], STEP",
    );
    check(
        |p| p.grad_weight = strided(&[6, 2, 3, 3], &[18, 9, -1, 1]),
        "grad_weight.strides is [18, 9, -1, 1] for dims [6, 2, 3, 3], STEP",
    );
    check(|p| p.grad_bias = strided(&[6], &[0]), "grad_bias.strides is [0] for dims [6], STEP");
    check(
        |p| p.grad_mask = strided(&[2, 18, 5, 7], &[1, 2, 35, 180]),
        "grad_mask.strides is [1, 2, 35, 180] for dims [2, 18, 5, 7], STEP",
    )
}

#[test]
fn gradient_of_an_absent_mask() {
    let error = refusal(described(), |p| p.mask.rank = 0);
    assert_eq!(error.status, DCN_ERROR_INVALID_ARGUMENT);
    assert_eq!(error.message, "grad_mask is described, expected rank 0 (absent) where its tensor is");
}

#[test]
fn mx_driving_profile() {
    const BY: &str = " by mx_driving.modulated_deform_conv2d";
    let check = |change: Change, message: &str| {
        let error = refusal(mx_driving(), change);
        assert_eq!((error.status, error.message), (DCN_ERROR_UNSUPPORTED, message.to_owned() + BY));
        // Without the flag it is a problem like any.
        let mut p = mx_driving();
        change(&mut p);
        p.flags = 0;
        Problem::new(&p).expect(message);
    };
    check(|p| each_tensor(p, |desc| desc.dtype = DCN_F16), "x.dtype is f16, expected f32");
    check(|p| p.mask.rank = 0, "mask is absent, expected");
    check(|p| p.bias = tensor(&[64]), "bias is described, expected absent (rank 0)");
    check(
        |p| (p.deformable_groups, p.offset.dims[1], p.mask.dims[1]) = (2, 36, 18),
        "deformable_groups is 2, expected 1",
    );
    check(
        |p| {
            (p.weight.dims[2], p.offset.dims[1], p.mask.dims[1]) = (1, 6, 3);
            (p.pad_top, p.pad_bottom) = (0, 0);
        },
        "the kernel is 1 x 3, expected 3 x 3",
    );
    check(|p| (p.x.dims[1], p.weight.dims[1]) = (96, 96), "C is 96, expected a multiple of 64");
    check(|p| (p.weight.dims[0], p.y.dims[1]) = (32, 32), "O is 32, expected a multiple of 64");
    check(|p| p.pad_bottom = 0, "pad_top is 1 and pad_bottom is 0, expected equal ones");
    check(|p| p.pad_right = 0, "pad_left is 1 and pad_right is 0, expected equal ones");
}

/// What the shape of y depends on is checked there as well.
#[test]
fn output_shape_refuses() {
    let check = |change: Change, status, message: &str| {
        let mut p = problem();
        change(&mut p);
        let error = output_shape(&p).expect_err(message);
        assert_eq!((error.status, error.message.as_str()), (status, message));
    };
    check(|p| p.reserved0 = 1, DCN_ERROR_INVALID_ARGUMENT, "reserved0 is 1, expected 0");
    check(|p| p.x.rank = 0, DCN_ERROR_INVALID_SHAPE, "x.rank is 0 (absent), expected 4 ([N, C, H, W])");
    check(
        |p| p.weight.dims[1] = 4,
        DCN_ERROR_INVALID_SHAPE,
        "weight.dims is [6, 4, 3, 3], expected [6, 2, 3, 3] (C/G = 4/2 channels)",
    );
    check(
        |p| p.stride_h = -1,
        DCN_ERROR_INVALID_ARGUMENT,
        "stride_h is -1, expected 1 or more, or 0 for the default, 1",
    );
}
