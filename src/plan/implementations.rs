//! The ordered list of implementations. A plan takes the first that fits; why the others were passed over is logged.

use super::backward::BackwardPlan;
use super::direct::backward::DirectBackward;
use super::direct::forward::DirectForward;
use super::forward::ForwardPlan;
use super::packed::{HEADER_SIZE, PackedHeader, layout_id};
use crate::abi::*;
use crate::context::Context;
use crate::cpu::backward::{self, BackwardPointers};
use crate::cpu::element::Element;
use crate::cpu::forward::{self as fused, ForwardPointers};
use crate::cpu::kernels::{HasKernels, Kernels};
use crate::error::Result;
use crate::exec::Team;
use crate::problem::{Backend, DType, Problem};
use half::{bf16, f16};
use std::ffi::{CStr, c_void};

/// What is known of an implementation once it is planned.
#[derive(Clone, Copy)]
pub struct Facts {
    pub kernel: &'static CStr,
    /// The instruction set, or the device.
    pub isa: &'static CStr,
    pub workers: usize,
    pub tile_positions: usize,
    pub workspace_size: usize,
    /// Bytes of packed weights, header included, and the number of their layout.
    pub packed_size: usize,
    pub packed_layout: u64,
}

impl Facts {
    pub fn packed_header(&self) -> PackedHeader {
        PackedHeader { layout: self.packed_layout, size: self.packed_size as u64 }
    }
}

/// A planned pass, run with arguments of type A.
pub trait Pass<A>: Send + Sync {
    fn facts(&self) -> Facts;

    /// # Safety
    ///
    /// `args->weight` covers the weights, `args->packed` has `packed_size` bytes.
    unsafe fn pack(&self, args: &dcn_pack_args, team: &Team) -> Result<()>;

    /// # Safety
    ///
    /// The pointers cover what the problem describes, `workspace` has `workspace_size` bytes; packed weights, where
    /// given, were checked.
    unsafe fn run(&self, args: &A, workspace: *mut u8, team: &Team) -> Result<()>;
}

/// Which entries of the list a plan may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Candidates {
    All,
    /// The last ones on the CPU, which take every problem.
    Direct,
}

pub type Forward = dyn Pass<dcn_forward_args>;
pub type Backward = dyn Pass<dcn_backward_args>;

/// The forward implementation for a problem.
pub fn forward(problem: &Problem, context: &Context, candidates: Candidates) -> Result<Box<Forward>> {
    match problem.dtype {
        _ if problem.backend == Backend::Ascend => crate::ascend::forward(problem, context),
        DType::F32 => forward_of::<f32>(problem, context, candidates),
        DType::F64 => forward_of::<f64>(problem, context, candidates),
        DType::F16 => forward_of::<f16>(problem, context, candidates),
        DType::Bf16 => forward_of::<bf16>(problem, context, candidates),
    }
}

/// The backward implementation for a problem.
pub fn backward(problem: &Problem, context: &Context, candidates: Candidates) -> Result<Box<Backward>> {
    match problem.dtype {
        _ if problem.backend == Backend::Ascend => crate::ascend::backward(problem, context),
        DType::F32 => backward_of::<f32>(problem, context, candidates),
        DType::F64 => backward_of::<f64>(problem, context, candidates),
        DType::F16 => backward_of::<f16>(problem, context, candidates),
        DType::Bf16 => backward_of::<bf16>(problem, context, candidates),
    }
}

fn forward_of<T: HasKernels>(problem: &Problem, context: &Context, candidates: Candidates) -> Result<Box<Forward>> {
    let threads = context.threads.concurrency();
    match kernels_for::<T>("forward", problem, context, candidates) {
        Some(kernels) => Ok(Box::new(ForwardPlan::<T>::new(problem, kernels, threads)?)),
        None => Ok(Box::new(DirectForward::<T>::new(problem, threads))),
    }
}

fn backward_of<T: HasKernels>(problem: &Problem, context: &Context, candidates: Candidates) -> Result<Box<Backward>> {
    let threads = context.threads.concurrency();
    match kernels_for::<T>("backward", problem, context, candidates) {
        Some(kernels) => Ok(Box::new(BackwardPlan::<T>::new(problem, kernels, threads)?)),
        None => Ok(Box::new(DirectBackward::<T>::new(problem, threads)?)),
    }
}

/// The first row of the kernel table that fits; None if none does.
fn kernels_for<T: HasKernels>(
    pass: &str,
    problem: &Problem,
    context: &Context,
    candidates: Candidates,
) -> Option<&'static Kernels<T>> {
    let refusal = |kernels: &Kernels<T>| {
        if candidates == Candidates::Direct {
            Some("passed over: not asked for")
        } else if kernels.isa > context.isa || !kernels.isa.is_available() {
            Some("passed over: instruction set")
        } else if problem.geometry.h * problem.geometry.w > i64::from(i32::MAX) {
            Some("passed over: H * W does not fit 31 bits")
        } else {
            None
        }
    };
    T::TABLE.iter().copied().find(|kernels| {
        let refusal = refusal(kernels);
        context.log.line(DCN_LOG_DISPATCH, || {
            let (name, outcome) = (kernels.name.to_string_lossy(), refusal.unwrap_or("chosen"));
            format!("plan,{pass},{name},{outcome},{}", shape(problem))
        });
        refusal.is_none()
    })
}

/// A problem in one comma-free word for log lines.
pub fn shape(problem: &Problem) -> String {
    let g = &problem.geometry;
    format!(
        "{}:n{}c{}h{}w{}:o{}h{}w{}:k{}x{}:s{}x{}:d{}x{}:g{}:dg{}{}{}",
        problem.dtype.name(),
        g.n,
        g.c,
        g.h,
        g.w,
        g.o,
        g.out_h,
        g.out_w,
        g.kernel_h,
        g.kernel_w,
        g.stride_h,
        g.stride_w,
        g.dilation_h,
        g.dilation_w,
        g.groups,
        g.deformable_groups,
        if problem.mask.is_some() { ":mask" } else { "" },
        if problem.bias.is_some() { ":bias" } else { "" },
    )
}

/// What follows the header of packed weights; NULL where there are none.
fn behind_header<C>(packed: *const c_void) -> *const C {
    if packed.is_null() { std::ptr::null() } else { packed.cast::<u8>().wrapping_add(HEADER_SIZE).cast() }
}

/// The typed pointers of a forward run.
pub fn forward_pointers<T: Element>(args: &dcn_forward_args, workspace: *mut u8) -> ForwardPointers<T> {
    ForwardPointers {
        x: args.x.cast(),
        offset: args.offset.cast(),
        mask: args.mask.cast(),
        weight: args.weight.cast(),
        packed: behind_header(args.packed_weight),
        bias: args.bias,
        y: args.y.cast(),
        workspace,
    }
}

/// The typed pointers of a backward run.
pub fn backward_pointers<T: Element>(args: &dcn_backward_args, workspace: *mut u8) -> BackwardPointers<T> {
    BackwardPointers {
        x: args.x.cast(),
        offset: args.offset.cast(),
        mask: args.mask.cast(),
        weight: args.weight.cast(),
        packed: behind_header(args.packed_weight),
        grad_y: args.grad_y.cast(),
        grad_x: args.grad_x.cast(),
        grad_offset: args.grad_offset.cast(),
        grad_mask: args.grad_mask.cast(),
        grad_weight: args.grad_weight.cast(),
        grad_bias: args.grad_bias.cast(),
        accumulate: args.accumulate,
        workspace,
    }
}

impl<T: HasKernels> Pass<dcn_forward_args> for ForwardPlan<T> {
    fn facts(&self) -> Facts {
        let g = &self.problem.geometry;
        let [taps, channels, columns] = self.tiling.packed_layout();
        let shape = [g.o, g.groups, g.channels_per_group(), g.kernel_h, g.kernel_w].map(|size| size as usize);
        let name = self.kernels.name;
        Facts {
            kernel: name,
            isa: self.kernels.isa.name(),
            workers: self.workers,
            tile_positions: self.tiling.positions,
            workspace_size: self.workspace.size,
            packed_size: HEADER_SIZE + self.packed_len * size_of::<T::Compute>(),
            packed_layout: layout_id(
                DCN_PASS_FORWARD,
                T::DTYPE.name(),
                &[&shape, &[taps, channels, columns, size_of::<T::Compute>()]],
            ),
        }
    }

    unsafe fn pack(&self, args: &dcn_pack_args, team: &Team) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe {
            self.facts().packed_header().write(args.packed.cast());
            let to = args.packed.cast::<u8>().add(HEADER_SIZE).cast();
            fused::pack(self, args.weight.cast(), to, team)
        }
    }

    unsafe fn run(&self, args: &dcn_forward_args, workspace: *mut u8, team: &Team) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { fused::run(self, forward_pointers(args, workspace), team) }
    }
}

impl<T: HasKernels> Pass<dcn_backward_args> for BackwardPlan<T> {
    fn facts(&self) -> Facts {
        let g = &self.problem.geometry;
        let shape = [g.o, g.groups, g.channels_per_group(), g.kernel_h, g.kernel_w].map(|size| size as usize);
        let size = size_of::<T::Compute>();
        Facts {
            kernel: self.kernels.name,
            isa: self.kernels.isa.name(),
            workers: self.workers,
            tile_positions: self.positions,
            workspace_size: self.workspace.size,
            packed_size: HEADER_SIZE + self.packed_len() * size,
            packed_layout: layout_id(
                DCN_PASS_BACKWARD,
                T::DTYPE.name(),
                &[&shape, &self.channels.packed_layout(), &[size]],
            ),
        }
    }

    unsafe fn pack(&self, args: &dcn_pack_args, team: &Team) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe {
            self.facts().packed_header().write(args.packed.cast());
            let to = args.packed.cast::<u8>().add(HEADER_SIZE).cast();
            backward::pack(self, args.weight.cast(), to, team)
        }
    }

    unsafe fn run(&self, args: &dcn_backward_args, workspace: *mut u8, team: &Team) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { backward::run(self, backward_pointers(args, workspace), team) }
    }
}
