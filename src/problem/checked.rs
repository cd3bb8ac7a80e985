//! `dcn_problem` → [`Problem`].

use super::descriptor::Descriptor;
use super::geometry::Geometry;
use super::kinds::{Backend, DType};
use super::mx_driving;
use super::shapes::{self, Axes, Shape, Shapes};
use super::tensor::Tensor;
use crate::abi::*;
use crate::error::{Error, Result, require};

const FORWARD: u32 = 1 << DCN_PASS_FORWARD;
const BACKWARD: u32 = 1 << DCN_PASS_BACKWARD;

/// A problem that keeps every rule of the contract.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    pub backend: Backend,
    /// `1 << DCN_PASS_...`; never 0.
    pub passes: u32,
    /// Of all tensors but bias, which may be f32 where this is f16 or bf16.
    pub dtype: DType,
    pub geometry: Geometry,
    pub x: Tensor,
    pub offset: Tensor,
    pub mask: Option<Tensor>,
    pub weight: Tensor,
    pub bias: Option<Tensor>,
    pub y: Tensor,
    /// Gradient descriptors are looked at only if the backward pass is asked for; else these are the defaults.
    pub grad_y: Tensor,
    pub grad_x: Tensor,
    pub grad_offset: Tensor,
    pub grad_mask: Option<Tensor>,
    pub grad_weight: Tensor,
    /// There also if bias is absent.
    pub grad_bias: Tensor,
}

impl Problem {
    pub fn new(p: &dcn_problem) -> Result<Self> {
        let Core { backend, passes, dtype, geometry, shapes, x, weight } = Core::read(p)?;
        let y = output("y", &p.y, &shapes.y, &shapes.y.contiguous("y", dtype)?)?;
        let offset = Descriptor::open_required("offset", &p.offset, shapes::OFFSET)?;
        let offset = offset.tensor(&[dtype], &shapes.offset)?;
        let mask = input("mask", &p.mask, &[dtype], &shapes.mask)?;
        let bias = input("bias", &p.bias, bias_dtypes(dtype), &shapes.bias)?;

        let absent = dcn_tensor_desc::default();
        let asked = |gradient| if passes & BACKWARD != 0 { gradient } else { &absent };
        let grad_y = input("grad_y", asked(&p.grad_y), &[dtype], &shapes.y)?.unwrap_or(y);
        let grad_x = output("grad_x", asked(&p.grad_x), &shapes.x, &x)?;
        let grad_offset = output("grad_offset", asked(&p.grad_offset), &shapes.offset, &offset)?;
        let grad_mask = match &mask {
            Some(mask) => Some(output("grad_mask", asked(&p.grad_mask), &shapes.mask, mask)?),
            None => no_gradient("grad_mask", asked(&p.grad_mask), shapes::MASK)?,
        };
        let grad_weight = output("grad_weight", asked(&p.grad_weight), &shapes.weight, &weight)?;
        let bias_like = shapes.bias.contiguous("grad_bias", dtype)?;
        let grad_bias = output("grad_bias", asked(&p.grad_bias), &shapes.bias, &bias_like)?;

        let problem = Self {
            backend,
            passes,
            dtype,
            geometry,
            x,
            offset,
            mask,
            weight,
            bias,
            y,
            grad_y,
            grad_x,
            grad_offset,
            grad_mask,
            grad_weight,
            grad_bias,
        };
        if p.flags & DCN_CHECK_MX_DRIVING != 0 {
            mx_driving::check(&problem)?;
        }
        Ok(problem)
    }
}

impl Problem {
    /// Operations of one forward pass, a multiplication and an addition for each term: 2 * N * O * Ho * Wo * C/G * K.
    pub fn forward_flops(&self) -> u64 {
        let g = &self.geometry;
        [2, g.n, g.o, g.out_h, g.out_w, g.channels_per_group(), g.taps()].iter().product::<i64>() as u64
    }
}

/// The y that the other fields imply, contiguous. Only what its shape depends on is looked at.
pub fn output_shape(p: &dcn_problem) -> Result<dcn_tensor_desc> {
    let Core { dtype, shapes, .. } = Core::read(p)?;
    let y = shapes.y.contiguous("y", dtype)?;
    let mut desc = dcn_tensor_desc { dtype: dtype.to_abi(), rank: shapes::Y.len() as i32, ..Default::default() };
    desc.dims[..y.rank].copy_from_slice(y.shape());
    desc.strides[..y.rank].copy_from_slice(&y.strides[..y.rank]);
    Ok(desc)
}

/// What the shapes of all tensors follow from.
struct Core {
    backend: Backend,
    passes: u32,
    dtype: DType,
    geometry: Geometry,
    shapes: Shapes,
    x: Tensor,
    weight: Tensor,
}

impl Core {
    fn read(p: &dcn_problem) -> Result<Self> {
        let (flags, passes, reserved0) = (p.flags, p.passes, p.reserved0);
        let backend = Backend::read(p.backend)?;
        require(flags & !DCN_CHECK_MX_DRIVING == 0, || {
            Error::argument(format!("flags is {flags:#x}, expected 0 or DCN_CHECK_MX_DRIVING"))
        })?;
        require(passes & !(FORWARD | BACKWARD) == 0, || {
            Error::argument(format!("passes is {passes:#x}, expected bits 1 << DCN_PASS_..., or 0 for all"))
        })?;
        require(reserved0 == 0, || Error::argument(format!("reserved0 is {reserved0}, expected 0")))?;
        let passes = if passes == 0 { FORWARD | BACKWARD } else { passes };

        let x = Descriptor::open_required("x", &p.x, shapes::X)?;
        let weight = Descriptor::open_required("weight", &p.weight, shapes::WEIGHT)?;
        let dtype = x.dtype;
        let geometry = Geometry::read(p, dtype, x.dims(), weight.dims())?;
        let shapes = Shapes::new(&geometry);
        let x = x.tensor(&[dtype], &shapes.x)?;
        let weight = weight.tensor(&[dtype], &shapes.weight)?;
        Ok(Self { backend, passes, dtype, geometry, shapes, x, weight })
    }
}

/// A tensor that may be absent.
fn input(name: &'static str, desc: &dcn_tensor_desc, dtypes: &[DType], shape: &Shape) -> Result<Option<Tensor>> {
    Descriptor::open(name, desc, shape.axes)?.map(|desc| desc.tensor(dtypes, shape)).transpose()
}

/// A tensor that is written. One that is absent is arranged as `like`, or contiguous if `like` overlaps itself.
fn output(name: &'static str, desc: &dcn_tensor_desc, shape: &Shape, like: &Tensor) -> Result<Tensor> {
    match Descriptor::open(name, desc, shape.axes)? {
        Some(desc) => desc.output(like.dtype, shape),
        None if like.overlaps_itself() => shape.contiguous(name, like.dtype),
        None => Ok(*like),
    }
}

/// The gradient of a tensor that is absent is absent too.
fn no_gradient(name: &'static str, desc: &dcn_tensor_desc, axes: Axes) -> Result<Option<Tensor>> {
    match Descriptor::open(name, desc, axes)? {
        None => Ok(None),
        Some(_) => Err(Error::argument(format!("{name} is described, expected rank 0 (absent) where its tensor is"))),
    }
}

/// The dtypes that bias may have, that of x first.
fn bias_dtypes(dtype: DType) -> &'static [DType] {
    match dtype {
        DType::F32 => &[DType::F32],
        DType::F64 => &[DType::F64],
        DType::F16 => &[DType::F16, DType::F32],
        DType::Bf16 => &[DType::Bf16, DType::F32],
    }
}
