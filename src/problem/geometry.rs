//! The numbers of the operator and the size equation.

use super::kinds::DType;
use crate::abi::*;
use crate::error::{Error, Result, require};

/// Largest kernel height and width.
const MAX_KERNEL: i64 = 1 << 15;

/// Everything the formula of the operator speaks of, in range and consistent. A dilation along a kernel size of 1 and a
/// stride along an output size of 1 are only ever multiplied by 0; they are 1 here, whatever the descriptor says, so
/// that arithmetic on them cannot overflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    pub n: i64,
    pub c: i64,
    pub h: i64,
    pub w: i64,
    pub o: i64,
    pub out_h: i64,
    pub out_w: i64,
    pub kernel_h: i64,
    pub kernel_w: i64,
    pub stride_h: i64,
    pub stride_w: i64,
    pub pad_top: i64,
    pub pad_left: i64,
    pub pad_bottom: i64,
    pub pad_right: i64,
    pub dilation_h: i64,
    pub dilation_w: i64,
    pub groups: i64,
    pub deformable_groups: i64,
}

impl Geometry {
    /// From the scalar fields of a problem, the dimensions of x and those of weight; its C/G is not looked at.
    pub(super) fn read(p: &dcn_problem, dtype: DType, x: [i64; 4], weight: [i64; 4]) -> Result<Self> {
        let ([n, c, h, w], [o, _, kernel_h, kernel_w]) = (x, weight);
        dimension("x.dims[0] (N)", n, 0)?;
        dimension("x.dims[1] (C)", c, 1)?;
        dimension("x.dims[2] (H)", h, 1)?;
        dimension("x.dims[3] (W)", w, 1)?;
        dimension("weight.dims[0] (O)", o, 1)?;
        kernel_size("weight.dims[2] (kh)", kernel_h)?;
        kernel_size("weight.dims[3] (kw)", kernel_w)?;
        padding("pad_top", p.pad_top)?;
        padding("pad_left", p.pad_left)?;
        padding("pad_bottom", p.pad_bottom)?;
        padding("pad_right", p.pad_right)?;
        let stride_h = one_by_default("stride_h", p.stride_h)?;
        let stride_w = one_by_default("stride_w", p.stride_w)?;
        let dilation_h = one_by_default("dilation_h", p.dilation_h)?;
        let dilation_w = one_by_default("dilation_w", p.dilation_w)?;
        let groups = one_by_default("groups", p.groups)?;
        let deformable_groups = one_by_default("deformable_groups", p.deformable_groups)?;
        divides("groups", groups, "C", c)?;
        divides("groups", groups, "O", o)?;
        divides("deformable_groups", deformable_groups, "C", c)?;
        let (pad_top, pad_left, pad_bottom, pad_right) = (p.pad_top, p.pad_left, p.pad_bottom, p.pad_right);
        let rows = Axis { names: &ROWS, size: h, pads: (pad_top, pad_bottom), kernel: kernel_h, dilation: dilation_h };
        let cols = Axis { names: &COLS, size: w, pads: (pad_left, pad_right), kernel: kernel_w, dilation: dilation_w };
        let out_h = rows.output_size(stride_h, dtype)?;
        let out_w = cols.output_size(stride_w, dtype)?;
        let used = |number, size| if size == 1 { 1 } else { number };
        let geometry = Self {
            n,
            c,
            h,
            w,
            o,
            out_h,
            out_w,
            kernel_h,
            kernel_w,
            stride_h: used(stride_h, out_h),
            stride_w: used(stride_w, out_w),
            pad_top,
            pad_left,
            pad_bottom,
            pad_right,
            dilation_h: used(dilation_h, kernel_h),
            dilation_w: used(dilation_w, kernel_w),
            groups,
            deformable_groups,
        };
        geometry.check_work()?;
        Ok(geometry)
    }

    /// The floating-point operations of a run must be countable. An empty batch is taken for one image, so that numbers
    /// for one image fit as well.
    fn check_work(&self) -> Result<()> {
        let Self { n, o, out_h, out_w, .. } = *self;
        let factors = [2, n.max(1), o, out_h, out_w, self.channels_per_group(), self.taps()];
        let flops = factors.iter().try_fold(1_i64, |product, &factor| product.checked_mul(factor));
        require(flops.is_some(), || {
            let product = factors.map(|factor| factor.to_string()).join("*");
            Error::shape(format!("2*N*O*Ho*Wo*(C/G)*K is {product}, expected a number that fits 64 bits"))
        })
    }

    /// Whether every group has one channel and one output channel.
    pub fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.c && self.groups == self.o
    }

    /// K: taps of the kernel.
    pub fn taps(&self) -> i64 {
        self.kernel_h * self.kernel_w
    }

    /// Ho*Wo: positions of an output image.
    pub fn positions(&self) -> i64 {
        self.out_h * self.out_w
    }

    pub fn channels_per_group(&self) -> i64 {
        self.c / self.groups
    }

    pub fn outputs_per_group(&self) -> i64 {
        self.o / self.groups
    }

    pub fn channels_per_deformable_group(&self) -> i64 {
        self.c / self.deformable_groups
    }
}

/// One of the two spatial axes.
struct Axis {
    names: &'static AxisNames,
    size: i64,
    pads: (i64, i64),
    kernel: i64,
    dilation: i64,
}

struct AxisNames {
    padded: &'static str,
    reach: &'static str,
}

const ROWS: AxisNames = AxisNames { padded: "pad_top + H + pad_bottom", reach: "dilation_h*(kh-1) + 1" };
const COLS: AxisNames = AxisNames { padded: "pad_left + W + pad_right", reach: "dilation_w*(kw-1) + 1" };

impl Axis {
    /// The size equation. Sums and products are made in i128, where those of a few i64 and a kernel size cannot
    /// overflow.
    fn output_size(&self, stride: i64, dtype: DType) -> Result<i64> {
        let Self { names: AxisNames { padded: padded_name, reach: reach_name }, size, pads: (before, after), .. } =
            *self;
        let padded = i128::from(before) + i128::from(size) + i128::from(after);
        let reach = i128::from(self.dilation) * i128::from(self.kernel - 1) + 1;
        let most = dtype.largest_coordinate();
        require(padded <= most.into(), || {
            let dtype = dtype.name();
            Error::shape(format!("{padded_name} is {before} + {size} + {after}, expected at most {most} for {dtype}"))
        })?;
        require(reach <= padded, || {
            let (dilation, taps) = (self.dilation, self.kernel - 1);
            let kernel = format!("{reach_name} = {dilation}*{taps} + 1 = {reach}");
            Error::shape(format!("{padded_name} is {before} + {size} + {after} = {padded}, expected at least {kernel}"))
        })?;
        // Both are in 1..=most by now.
        Ok(i64::try_from(padded - reach).expect("at most 2^53") / stride + 1)
    }
}

fn dimension(name: &str, value: i64, least: i64) -> Result<()> {
    require(value >= least, || Error::shape(format!("{name} is {value}, expected {least} or more")))
}

fn kernel_size(name: &str, value: i64) -> Result<()> {
    let known = (1..=MAX_KERNEL).contains(&value);
    require(known, || Error::shape(format!("{name} is {value}, expected 1 to {MAX_KERNEL}")))
}

fn padding(name: &str, value: i64) -> Result<()> {
    require(value >= 0, || Error::argument(format!("{name} is {value}, expected 0 or more")))
}

fn one_by_default(name: &str, value: i64) -> Result<i64> {
    require(value >= 0, || Error::argument(format!("{name} is {value}, expected 1 or more, or 0 for the default, 1")))?;
    Ok(value.max(1))
}

fn divides(name: &str, divisor: i64, dividend_name: &str, dividend: i64) -> Result<()> {
    require(dividend % divisor == 0, || {
        Error::shape(format!("{name} is {divisor}, expected a divisor of {dividend_name} = {dividend}"))
    })
}
