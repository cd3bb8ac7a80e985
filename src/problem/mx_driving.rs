//! `DCN_CHECK_MX_DRIVING`: what `mx_driving.modulated_deform_conv2d` takes on Atlas A2, so that a program written here
//! runs there.

use super::checked::Problem;
use super::kinds::DType;
use crate::error::{Error, Result, require};

/// Channels come in blocks of this many there.
const CHANNEL_BLOCK: i64 = 64;

/// The size equation holds for every [`Problem`], so it is not asked for again.
pub(super) fn check(problem: &Problem) -> Result<()> {
    let g = &problem.geometry;
    let (dtype, d) = (problem.dtype.name(), g.deformable_groups);
    let kernel = (g.kernel_h, g.kernel_w);
    let rule = |holds, was: &dyn Fn() -> String| {
        require(holds, || Error::unsupported(format!("{} by mx_driving.modulated_deform_conv2d", was())))
    };
    rule(problem.dtype == DType::F32, &|| format!("x.dtype is {dtype}, expected f32"))?;
    rule(problem.mask.is_some(), &|| "mask is absent, expected".into())?;
    rule(problem.bias.is_none(), &|| "bias is described, expected absent (rank 0)".into())?;
    rule(d == 1, &|| format!("deformable_groups is {d}, expected 1"))?;
    rule(kernel == (3, 3), &|| format!("the kernel is {} x {}, expected 3 x 3", kernel.0, kernel.1))?;
    rule(g.c % CHANNEL_BLOCK == 0, &|| format!("C is {}, expected a multiple of {CHANNEL_BLOCK}", g.c))?;
    rule(g.o % CHANNEL_BLOCK == 0, &|| format!("O is {}, expected a multiple of {CHANNEL_BLOCK}", g.o))?;
    rule(g.pad_top == g.pad_bottom, &|| {
        format!("pad_top is {} and pad_bottom is {}, expected equal ones", g.pad_top, g.pad_bottom)
    })?;
    rule(g.pad_left == g.pad_right, &|| {
        format!("pad_left is {} and pad_right is {}, expected equal ones", g.pad_left, g.pad_right)
    })
}
