//! A case as the library is told of it.

use super::cases::Case;
use super::kinds::{Dtype, Layout, Pass};
use deformconv::abi::*;
use std::mem::size_of;

pub fn describe(case: &Case, pass: Pass, dtype: Dtype, layout: Layout) -> dcn_problem {
    let dense = |dims: &[i64]| tensor(dtype, dims);
    let image = |dims: [i64; 4]| match layout {
        Layout::Nchw => dense(&dims),
        Layout::Nhwc => channels_last(dtype, dims),
    };
    dcn_problem {
        struct_size: size_of::<dcn_problem>(),
        backend: DCN_BACKEND_CPU,
        passes: 1 << pass.code(),
        stride_h: case.stride[0],
        stride_w: case.stride[1],
        pad_top: case.padding[0],
        pad_left: case.padding[1],
        pad_bottom: case.padding[0],
        pad_right: case.padding[1],
        dilation_h: case.dilation[0],
        dilation_w: case.dilation[1],
        groups: case.groups,
        deformable_groups: case.deformable_groups,
        x: image(case.x),
        offset: dense(&case.offset()),
        mask: dense(&case.mask()),
        weight: dense(&case.weight()),
        bias: dense(&[case.out_channels]),
        y: image(case.y()),
        // The gradients are as the tensors that they belong to.
        ..Default::default()
    }
}

fn tensor(dtype: Dtype, dims: &[i64]) -> dcn_tensor_desc {
    let mut desc = dcn_tensor_desc { dtype: dtype.code(), rank: dims.len() as i32, ..Default::default() };
    desc.dims[..dims.len()].copy_from_slice(dims);
    desc
}

fn channels_last(dtype: Dtype, dims: [i64; 4]) -> dcn_tensor_desc {
    let [_, c, h, w] = dims;
    let mut desc = tensor(dtype, &dims);
    desc.layout = DCN_LAYOUT_STRIDED;
    desc.strides[..4].copy_from_slice(&[h * w * c, 1, w * c, c]);
    desc
}
