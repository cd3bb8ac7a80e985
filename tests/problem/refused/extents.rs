//! Products and strides that do not fit.

use super::*;

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
