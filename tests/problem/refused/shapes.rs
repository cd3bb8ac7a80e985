//! What the shapes must be for one another, and for the DrivingSDK profile.

use super::*;
use deformconv::problem::output_shape;

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
