//! What a field may hold, whatever the others are.

use super::*;

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
fn gradient_of_an_absent_mask() {
    let error = refusal(described(), |p| p.mask.rank = 0);
    assert_eq!(error.status, DCN_ERROR_INVALID_ARGUMENT);
    assert_eq!(error.message, "grad_mask is described, expected rank 0 (absent) where its tensor is");
}
