//! The ordered list of implementations. A plan takes the first that fits; why the others were passed over is logged.

use super::direct::DirectPlan;
use super::forward::ForwardPlan;
use super::packed::{HEADER_SIZE, PackedHeader, layout_id};
use crate::abi::*;
use crate::context::{Context, Isa};
use crate::cpu::element::Element;
use crate::cpu::forward::{self as fused, ForwardPointers};
use crate::cpu::kernels::HasKernels;
use crate::error::{Error, Result};
use crate::exec::Team;
use crate::problem::{DType, Problem};
use std::ffi::{CStr, c_void};

/// What is known of an implementation once it is planned.
#[derive(Clone, Copy)]
pub struct Facts {
    pub kernel: &'static CStr,
    pub isa: Isa,
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

/// A planned forward pass.
pub trait Forward: Send + Sync {
    fn facts(&self) -> Facts;

    /// # Safety
    ///
    /// `weight` covers the weights, `packed` has `packed_size` bytes.
    unsafe fn pack(&self, weight: *const c_void, packed: *mut c_void, team: &Team) -> Result<()>;

    /// # Safety
    ///
    /// The pointers cover what the problem describes, `workspace` has `workspace_size` bytes; packed weights, where
    /// given, were checked.
    unsafe fn run(&self, args: &dcn_forward_args, workspace: *mut u8, team: &Team) -> Result<()>;
}

/// The forward implementation for a problem.
pub fn forward(problem: &Problem, context: &Context) -> Result<Box<dyn Forward>> {
    match problem.dtype {
        DType::F32 => forward_of::<f32>(problem, context),
        DType::F64 => forward_of::<f64>(problem, context),
        DType::F16 | DType::Bf16 => Err(Error::unsupported(format!(
            "x.dtype is {}, expected DCN_F32 or DCN_F64 in this release",
            problem.dtype.name()
        ))),
    }
}

fn forward_of<T: HasKernels>(problem: &Problem, context: &Context) -> Result<Box<dyn Forward>> {
    let log = |kernel: &CStr, outcome: &str| {
        let kernel = kernel.to_string_lossy();
        context.log.line(DCN_LOG_DISPATCH, || format!("plan,forward,{kernel},{outcome},{}", shape(problem)));
    };
    let (h, w) = (problem.geometry.h, problem.geometry.w);
    for kernels in T::TABLE {
        if kernels.isa > context.isa || !kernels.isa.is_available() {
            log(kernels.name, "passed over: instruction set");
        } else if h * w > i64::from(i32::MAX) {
            log(kernels.name, "passed over: H * W does not fit 31 bits");
        } else {
            log(kernels.name, "chosen");
            return Ok(Box::new(ForwardPlan::<T>::new(problem, kernels, context.threads.concurrency())?));
        }
    }
    let direct = DirectPlan::<T>::new(problem, context.threads.concurrency());
    log(direct.facts().kernel, "chosen");
    Ok(Box::new(direct))
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

/// The typed pointers of a run.
pub fn pointers<T: Element>(args: &dcn_forward_args, workspace: *mut u8) -> ForwardPointers<T> {
    let packed = match args.packed_weight.is_null() {
        true => std::ptr::null(),
        false => args.packed_weight.cast::<u8>().wrapping_add(HEADER_SIZE).cast(),
    };
    ForwardPointers {
        x: args.x.cast(),
        offset: args.offset.cast(),
        mask: args.mask.cast(),
        weight: args.weight.cast(),
        packed,
        bias: args.bias.cast(),
        y: args.y.cast(),
        workspace,
    }
}

impl<T: HasKernels> Forward for ForwardPlan<T> {
    fn facts(&self) -> Facts {
        let g = &self.problem.geometry;
        let [taps, channels, columns] = self.tiling.packed_layout();
        let shape = [g.o, g.groups, g.channels_per_group(), g.kernel_h, g.kernel_w].map(|size| size as usize);
        let name = self.kernels.name;
        Facts {
            kernel: name,
            isa: self.kernels.isa,
            workers: self.workers,
            tile_positions: self.tiling.positions,
            workspace_size: self.workspace.size,
            packed_size: HEADER_SIZE + self.packed_len * size_of::<T::Compute>(),
            packed_layout: layout_id(
                DCN_PASS_FORWARD,
                T::DTYPE.name(),
                &[&shape[..], &[taps, channels, columns, size_of::<T::Compute>()]].concat(),
            ),
        }
    }

    unsafe fn pack(&self, weight: *const c_void, packed: *mut c_void, team: &Team) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe {
            self.facts().packed_header().write(packed.cast());
            let to = packed.cast::<u8>().add(HEADER_SIZE).cast();
            fused::pack(self, weight.cast(), to, team)
        }
    }

    unsafe fn run(&self, args: &dcn_forward_args, workspace: *mut u8, team: &Team) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { fused::run(self, pointers(args, workspace), team) }
    }
}
