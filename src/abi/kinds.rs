//! The small closed sets of the interface. No C enum crosses the boundary: each is an `int32_t` with named values.

/// Element type of a tensor.
pub type dcn_dtype = i32;
/// IEEE 754 binary32, accumulated in binary32.
pub const DCN_F32: dcn_dtype = 0;
/// IEEE 754 binary64, accumulated in binary64.
pub const DCN_F64: dcn_dtype = 1;
/// IEEE 754 binary16, accumulated in binary32.
pub const DCN_F16: dcn_dtype = 2;
/// bfloat16, accumulated in binary32.
pub const DCN_BF16: dcn_dtype = 3;

/// Where a problem is computed. Never guessed from a pointer.
pub type dcn_backend = i32;
/// The CPU; all data pointers are host pointers.
pub const DCN_BACKEND_CPU: dcn_backend = 0;
/// A Huawei Ascend NPU; all data pointers are device pointers.
pub const DCN_BACKEND_ASCEND: dcn_backend = 1;

/// A direction of the operator.
pub type dcn_pass = i32;
/// y from x, offset, mask, weight and bias.
pub const DCN_PASS_FORWARD: dcn_pass = 0;
/// Gradients of all of them from the gradient of y.
pub const DCN_PASS_BACKWARD: dcn_pass = 1;

/// Row-major without gaps; the strides of the descriptor are not read.
pub const DCN_LAYOUT_CONTIGUOUS: i32 = 0;
/// The strides of the descriptor hold as written, zeros and negative ones included.
pub const DCN_LAYOUT_STRIDED: i32 = 1;

/// Flag of `dcn_problem`: refuse, with DCN_ERROR_UNSUPPORTED, whatever `mx_driving.modulated_deform_conv2d` on
/// Atlas A2 does not take.
pub const DCN_CHECK_MX_DRIVING: u32 = 1;

/// Bit of `dcn_backward_args.accumulate`: add to grad_x instead of overwriting it.
pub const DCN_GRAD_X: u32 = 1;
/// Bit of `dcn_backward_args.accumulate`: add to grad_offset instead of overwriting it.
pub const DCN_GRAD_OFFSET: u32 = 2;
/// Bit of `dcn_backward_args.accumulate`: add to grad_mask instead of overwriting it.
pub const DCN_GRAD_MASK: u32 = 4;
/// Bit of `dcn_backward_args.accumulate`: add to grad_weight instead of overwriting it.
pub const DCN_GRAD_WEIGHT: u32 = 8;
/// Bit of `dcn_backward_args.accumulate`: add to grad_bias instead of overwriting it.
pub const DCN_GRAD_BIAS: u32 = 16;
