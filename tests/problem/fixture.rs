//! A small valid problem that tests bend.

use deformconv::abi::*;

pub fn tensor(dims: &[i64]) -> dcn_tensor_desc {
    let mut desc = dcn_tensor_desc { rank: dims.len() as i32, ..Default::default() };
    desc.dims[..dims.len()].copy_from_slice(dims);
    desc
}

pub fn strided(dims: &[i64], strides: &[i64]) -> dcn_tensor_desc {
    let mut desc = dcn_tensor_desc { layout: DCN_LAYOUT_STRIDED, ..tensor(dims) };
    desc.strides[..strides.len()].copy_from_slice(strides);
    desc
}

/// N = 2, C = 4, H x W = 5 x 7, O = 6, kernel 3 x 3, padding 1, G = 2, D = 2; y and the gradients are not described.
pub fn problem() -> dcn_problem {
    dcn_problem {
        struct_size: size_of::<dcn_problem>(),
        pad_top: 1,
        pad_left: 1,
        pad_bottom: 1,
        pad_right: 1,
        groups: 2,
        deformable_groups: 2,
        x: tensor(&[2, 4, 5, 7]),
        offset: tensor(&[2, 36, 5, 7]),
        mask: tensor(&[2, 18, 5, 7]),
        weight: tensor(&[6, 2, 3, 3]),
        bias: tensor(&[6]),
        ..Default::default()
    }
}

/// [`problem`] with all tensors described.
pub fn described() -> dcn_problem {
    let p = problem();
    dcn_problem {
        y: tensor(&[2, 6, 5, 7]),
        grad_y: tensor(&[2, 6, 5, 7]),
        grad_x: p.x,
        grad_offset: p.offset,
        grad_mask: p.mask,
        grad_weight: p.weight,
        grad_bias: p.bias,
        ..p
    }
}

/// The same change to all tensors.
pub fn each_tensor(p: &mut dcn_problem, change: impl Fn(&mut dcn_tensor_desc)) {
    tensors(p).into_iter().for_each(|(_, desc)| change(desc));
}

pub fn tensors(p: &mut dcn_problem) -> [(&'static str, &mut dcn_tensor_desc); 12] {
    [
        ("x", &mut p.x),
        ("offset", &mut p.offset),
        ("mask", &mut p.mask),
        ("weight", &mut p.weight),
        ("bias", &mut p.bias),
        ("y", &mut p.y),
        ("grad_y", &mut p.grad_y),
        ("grad_x", &mut p.grad_x),
        ("grad_offset", &mut p.grad_offset),
        ("grad_mask", &mut p.grad_mask),
        ("grad_weight", &mut p.grad_weight),
        ("grad_bias", &mut p.grad_bias),
    ]
}

/// What DCN_CHECK_MX_DRIVING lets through: the published example, with the stride that makes its output 50 x 100.
pub fn mx_driving() -> dcn_problem {
    dcn_problem {
        struct_size: size_of::<dcn_problem>(),
        flags: DCN_CHECK_MX_DRIVING,
        stride_h: 2,
        stride_w: 2,
        pad_top: 1,
        pad_left: 1,
        pad_bottom: 1,
        pad_right: 1,
        x: tensor(&[16, 64, 100, 200]),
        offset: tensor(&[16, 18, 50, 100]),
        mask: tensor(&[16, 9, 50, 100]),
        weight: tensor(&[64, 64, 3, 3]),
        y: tensor(&[16, 64, 50, 100]),
        ..Default::default()
    }
}
