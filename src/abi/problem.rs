//! `dcn_tensor_desc` and `dcn_problem`: the operator as the caller describes it.

use super::kinds::{dcn_backend, dcn_dtype};

/// Shape, strides and element type of one tensor. A descriptor that is all zero (rank 0) means "absent".
///
/// The data pointer that goes with it is the address of element [0, ..., 0], also where strides are negative, and needs
/// the alignment of one element, no more.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct dcn_tensor_desc {
    /// DCN_F32, DCN_F64, DCN_F16 or DCN_BF16.
    pub dtype: dcn_dtype,
    /// Number of dimensions in use; 0 = the tensor is absent.
    pub rank: i32,
    /// DCN_LAYOUT_CONTIGUOUS or DCN_LAYOUT_STRIDED.
    pub layout: i32,
    /// Must be 0.
    pub reserved0: u32,
    /// Sizes, in the order that `dcn_problem` gives ([N, C, H, W] for x), whatever the strides.
    pub dims: [i64; 5],
    /// Distance between neighbours along each dimension, in elements; NHWC: {H*W*C, 1, W*C, C}. Read only with
    /// DCN_LAYOUT_STRIDED.
    pub strides: [i64; 5],
    /// Must be 0.
    pub reserved: [i64; 4],
}

/// One modulated deformable convolution (Zhu et al., "Deformable ConvNets v2", 2019), forward and backward.
///
/// With N, C, H, W the batch, channels, height and width of x; O, Ho, Wo those of y; kh x kw the kernel, K = kh*kw;
/// G = groups, D = deformable groups, d(c) = c / (C/D):
///
///     y[n,o,p,q] = bias[o] + sum over c in the group of o, i, j of
///                  weight[o,c mod (C/G),i,j] * mask[n,d(c)*K+i*kw+j,p,q] * S(x[n,c], py, px)
///     py = p*stride_h - pad_top  + i*dilation_h + offset[n, 2*(d(c)*K+i*kw+j),     p, q]
///     px = q*stride_w - pad_left + j*dilation_w + offset[n, 2*(d(c)*K+i*kw+j) + 1, p, q]
///     Ho = (H + pad_top + pad_bottom - (dilation_h*(kh-1) + 1)) / stride_h + 1, rounded down; Wo likewise
///
/// S is bilinear sampling; a corner outside the image is not read and counts 0, and S is 0 unless -1 < py < H and
/// -1 < px < W (false for NaN).
///
/// Zero is the default of every field. Fields are only ever added at the end.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct dcn_problem {
    /// sizeof(dcn_problem).
    pub struct_size: usize,
    /// DCN_BACKEND_CPU or DCN_BACKEND_ASCEND.
    pub backend: dcn_backend,
    /// 0 or DCN_CHECK_MX_DRIVING.
    pub flags: u32,
    /// Passes the plan must be able to run: (1 << DCN_PASS_FORWARD) | (1 << DCN_PASS_BACKWARD); 0 = both.
    pub passes: u32,
    /// Must be 0.
    pub reserved0: u32,
    /// Vertical stride, at least 1; 0 = the default, 1.
    pub stride_h: i64,
    /// Horizontal stride, at least 1; 0 = the default, 1.
    pub stride_w: i64,
    /// Rows of padding above the image, at least 0.
    pub pad_top: i64,
    /// Columns of padding left of the image, at least 0.
    pub pad_left: i64,
    /// Rows of padding below the image, at least 0.
    pub pad_bottom: i64,
    /// Columns of padding right of the image, at least 0.
    pub pad_right: i64,
    /// Vertical distance of kernel taps; 1 = dense; 0 = the default, 1.
    pub dilation_h: i64,
    /// Horizontal distance of kernel taps; 1 = dense; 0 = the default, 1.
    pub dilation_w: i64,
    /// G, divides C and O; 0 = the default, 1.
    pub groups: i64,
    /// D, divides C; 0 = the default, 1.
    pub deformable_groups: i64,
    /// [N, C, H, W]. Required.
    pub x: dcn_tensor_desc,
    /// [N, 2*D*K, Ho, Wo], (y, x) pairs in pixels. Required.
    pub offset: dcn_tensor_desc,
    /// [N, D*K, Ho, Wo], or absent (1 everywhere).
    pub mask: dcn_tensor_desc,
    /// [O, C/G, kh, kw]. Required.
    pub weight: dcn_tensor_desc,
    /// [O], or absent (0). May be DCN_F32 where the other tensors are DCN_F16 or DCN_BF16.
    pub bias: dcn_tensor_desc,
    /// [N, O, Ho, Wo]; absent = contiguous, of the shape the other fields imply.
    pub y: dcn_tensor_desc,
    /// As y; absent = the strides of y.
    pub grad_y: dcn_tensor_desc,
    /// As x; absent = the strides of x if no two elements share memory there, else contiguous. Likewise the others.
    pub grad_x: dcn_tensor_desc,
    /// As offset.
    pub grad_offset: dcn_tensor_desc,
    /// As mask.
    pub grad_mask: dcn_tensor_desc,
    /// As weight.
    pub grad_weight: dcn_tensor_desc,
    /// [O], of the dtype of weight; absent = contiguous.
    pub grad_bias: dcn_tensor_desc,
}
