//! The pointers of a run, checked against the problem.

use super::implementations::Facts;
use crate::abi::*;
use crate::error::{Error, Result, require};
use crate::problem::{Access, Backend, Operand, Problem, Tensor, What, check_operands};
use std::ffi::c_void;

fn read<'a>(name: &'static str, tensor: &'a Tensor, pointer: *const c_void) -> Operand<'a> {
    Operand { name, what: What::Tensor(tensor), address: pointer.addr(), access: Access::Read, optional: false }
}

/// A tensor that the problem may not have.
fn read_optional<'a>(name: &'static str, tensor: &'a Option<Tensor>, pointer: *const c_void) -> Operand<'a> {
    let what = tensor.as_ref().map_or(What::Absent, What::Tensor);
    Operand { name, what, address: pointer.addr(), access: Access::Read, optional: false }
}

fn bytes(name: &'static str, pointer: *const c_void, size: usize, access: Access) -> Operand<'static> {
    Operand { name, what: What::Bytes(size), address: pointer.addr(), access, optional: true }
}

/// Any stream will do on a device; the CPU has none.
fn stream(problem: &Problem, stream: *mut c_void) -> Result<()> {
    require(stream.is_null() || problem.backend != Backend::Cpu, || {
        Error::argument(format!("args->stream is {stream:p}, expected NULL on the CPU"))
    })
}

/// Device memory that kernels use as it is has to be aligned for them.
fn device_memory(problem: &Problem, name: &str, pointer: *const c_void, align: usize) -> Result<()> {
    require(problem.backend == Backend::Cpu || pointer.addr().is_multiple_of(align), || {
        let message = format!("{name} is {pointer:p}, expected a multiple of {align} bytes in device memory");
        Error::new(DCN_ERROR_MISALIGNED, message)
    })
}

/// The workspace of a run. On the CPU it may come from the allocator instead.
fn workspace(problem: &Problem, facts: &Facts, pointer: *const c_void, size: usize) -> Result<()> {
    let needed = facts.workspace_size;
    require(problem.backend == Backend::Cpu || needed == 0 || !pointer.is_null(), || {
        Error::null("args->workspace", &format!("{needed} bytes of device memory"))
    })?;
    device_memory(problem, "args->workspace", pointer, crate::ascend::ALIGN)?;
    enough("workspace_size", pointer, size, needed)
}

/// The packed weights of a run; in device memory they are floats.
fn packed_weight(problem: &Problem, facts: &Facts, pointer: *const c_void, size: usize) -> Result<()> {
    device_memory(problem, "args->packed_weight", pointer, align_of::<f32>())?;
    enough("packed_weight_size", pointer, size, facts.packed_size)
}

/// A buffer of the caller's that is given has the size that the plan asks for.
fn enough(name: &str, pointer: *const c_void, size: usize, needed: usize) -> Result<()> {
    require(pointer.is_null() || size >= needed, || {
        let message = format!("args->{name} is {size}, expected at least {needed}");
        Error::new(DCN_ERROR_WORKSPACE_TOO_SMALL, message)
    })
}

/// The weights, which are not read where packed ones are given.
fn weight(problem: &Problem, pointer: *const c_void, packed: *const c_void) -> Operand<'_> {
    let weight = read("args->weight", &problem.weight, pointer);
    if packed.is_null() { weight } else { Operand { what: What::Bytes(0), ..weight } }
}

pub fn check_forward(problem: &Problem, facts: &Facts, args: &dcn_forward_args) -> Result<()> {
    stream(problem, args.stream)?;
    check_operands(&[
        read("args->x", &problem.x, args.x),
        read("args->offset", &problem.offset, args.offset),
        read_optional("args->mask", &problem.mask, args.mask),
        weight(problem, args.weight, args.packed_weight),
        bytes("args->packed_weight", args.packed_weight, facts.packed_size.min(args.packed_weight_size), Access::Read),
        read_optional("args->bias", &problem.bias, args.bias),
        Operand { access: Access::Write, ..read("args->y", &problem.y, args.y) },
        bytes("args->workspace", args.workspace, facts.workspace_size.min(args.workspace_size), Access::Write),
    ])?;
    packed_weight(problem, facts, args.packed_weight, args.packed_weight_size)?;
    workspace(problem, facts, args.workspace, args.workspace_size)
}

pub fn check_backward(problem: &Problem, facts: &Facts, args: &dcn_backward_args) -> Result<()> {
    const ALL: u32 = DCN_GRAD_X | DCN_GRAD_OFFSET | DCN_GRAD_MASK | DCN_GRAD_WEIGHT | DCN_GRAD_BIAS;
    require(args.reserved0 == 0, || Error::argument(format!("args->reserved0 is {}, expected 0", args.reserved0)))?;
    require(args.accumulate & !ALL == 0, || {
        Error::argument(format!("args->accumulate is {:#x}, expected a combination of DCN_GRAD_...", args.accumulate))
    })?;
    stream(problem, args.stream)?;
    let gradient = |name, tensor, pointer: *mut c_void| Operand {
        access: Access::Write,
        optional: true,
        ..read_optional(name, tensor, pointer)
    };
    check_operands(&[
        read("args->x", &problem.x, args.x),
        read("args->offset", &problem.offset, args.offset),
        read_optional("args->mask", &problem.mask, args.mask),
        weight(problem, args.weight, args.packed_weight),
        bytes("args->packed_weight", args.packed_weight, facts.packed_size.min(args.packed_weight_size), Access::Read),
        read("args->grad_y", &problem.grad_y, args.grad_y),
        gradient("args->grad_x", &Some(problem.grad_x), args.grad_x),
        gradient("args->grad_offset", &Some(problem.grad_offset), args.grad_offset),
        gradient("args->grad_mask", &problem.grad_mask, args.grad_mask),
        gradient("args->grad_weight", &Some(problem.grad_weight), args.grad_weight),
        gradient("args->grad_bias", &Some(problem.grad_bias), args.grad_bias),
        bytes("args->workspace", args.workspace, facts.workspace_size.min(args.workspace_size), Access::Write),
    ])?;
    packed_weight(problem, facts, args.packed_weight, args.packed_weight_size)?;
    workspace(problem, facts, args.workspace, args.workspace_size)
}

pub fn check_pack(problem: &Problem, facts: &Facts, args: &dcn_pack_args) -> Result<()> {
    require(args.reserved0 == 0, || Error::argument(format!("args->reserved0 is {}, expected 0", args.reserved0)))?;
    stream(problem, args.stream)?;
    // Of a buffer only what the caller gives is looked at, so that one too small is called that, whatever lies behind
    // it.
    let packed = bytes("args->packed", args.packed, facts.packed_size.min(args.packed_size), Access::Write);
    check_operands(&[read("args->weight", &problem.weight, args.weight), Operand { optional: false, ..packed }])?;
    device_memory(problem, "args->packed", args.packed, align_of::<f32>())?;
    enough("packed_size", args.packed, args.packed_size, facts.packed_size)
}
