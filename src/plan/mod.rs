//! A checked problem and how it will be computed. Immutable.
//!
//! - [`implementations`]: the ordered list that a plan takes the first fitting entry of;
//! - [`forward`], [`tiling`], [`maps`], [`arena`]: the fused forward pass decided: cuts and workspace; [`direct`]: the last resort;
//! - [`packed`]: the header of packed weights;
//! - [`arguments`]: the pointers of a run, checked.

pub mod arena;
mod arguments;
mod direct;
pub mod forward;
mod implementations;
pub mod maps;
mod packed;
pub mod tiling;

use crate::abi::*;
use crate::context::{Buffer, Context};
use crate::error::{Error, Result, require};
use crate::problem::{Backend, Problem};
use implementations::Forward;
use std::sync::Arc;
use std::time::Instant;

/// The inside of a `dcn_plan`.
pub struct Plan {
    context: Arc<Context>,
    problem: Problem,
    forward: Option<Box<dyn Forward>>,
}

impl Plan {
    pub fn new(context: Arc<Context>, description: &dcn_problem) -> Result<Self> {
        let log = |error: &Error| {
            context.log.line(DCN_LOG_CHECK, || format!("plan,refused,{},{}", error.status, error.message));
        };
        let problem = Problem::new(description).inspect_err(log)?;
        if problem.backend != Backend::Cpu {
            backend_status(DCN_BACKEND_ASCEND).inspect_err(log)?;
        }
        let wanted = problem.passes & 1 << DCN_PASS_FORWARD != 0;
        let forward = if wanted { Some(implementations::forward(&problem, &context).inspect_err(log)?) } else { None };
        Ok(Self { context, problem, forward })
    }

    pub fn info(&self) -> dcn_plan_info {
        let forward = self.forward.as_deref().map(Forward::facts);
        dcn_plan_info {
            struct_size: size_of::<dcn_plan_info>(),
            isa: forward.map_or(c"scalar", |facts| facts.isa.name()).as_ptr(),
            forward_kernel: forward.map_or(c"", |facts| facts.kernel).as_ptr(),
            backward_kernel: c"".as_ptr(),
            forward_flops: self.problem.forward_flops(),
            backward_flops: self.problem.forward_flops().saturating_mul(2),
            packed_layout: [forward.map_or(0, |facts| facts.packed_layout), 0],
            tile_positions: forward.map_or(0, |facts| facts.tile_positions as u32),
            max_tasks: forward.map_or(0, |facts| facts.workers as u32),
        }
    }

    pub fn workspace_size(&self, pass: dcn_pass) -> Result<usize> {
        Ok(self.pass(pass)?.facts().workspace_size)
    }

    pub fn packed_weight_size(&self, pass: dcn_pass) -> Result<usize> {
        Ok(self.pass(pass)?.facts().packed_size)
    }

    /// # Safety
    ///
    /// The pointers must be NULL or cover the weights and `packed_size` bytes.
    pub unsafe fn pack_weight(&self, args: &dcn_pack_args) -> Result<()> {
        let forward = self.pass(args.pass)?;
        arguments::check_pack(&self.problem, &forward.facts(), args)?;
        // SAFETY: checked as far as can be, and the caller's promise for the rest.
        let args = Crossing(args);
        self.context.threads.enter(false, |team| unsafe { forward.pack(args.get().weight, args.get().packed, team) })
    }

    /// # Safety
    ///
    /// The pointers must be NULL or cover what the problem describes, and the workspace its size.
    pub unsafe fn forward(&self, args: &dcn_forward_args) -> Result<()> {
        let log = &self.context.log;
        let start = log.wants(DCN_LOG_PROFILE).then(Instant::now);
        // SAFETY: the caller's promise.
        let outcome = unsafe { self.run_forward(args) };
        match &outcome {
            Err(error) => log.line(DCN_LOG_ERROR, || format!("forward,{},{}", error.status, error.message)),
            Ok(()) => log.line(DCN_LOG_PROFILE, || {
                let kernel = self.forward.as_ref().map_or("", |forward| forward.facts().kernel.to_str().unwrap_or(""));
                let time = start.map_or(0.0, |start| start.elapsed().as_secs_f64() * 1e3);
                format!("forward,{kernel},{},{time:.3} ms", implementations::shape(&self.problem))
            }),
        }
        outcome
    }

    unsafe fn run_forward(&self, args: &dcn_forward_args) -> Result<()> {
        let forward = self.pass(DCN_PASS_FORWARD)?;
        let facts = forward.facts();
        arguments::check_forward(&self.problem, &facts, args)?;
        // SAFETY: the caller's promise; the sizes were checked.
        unsafe {
            if !args.packed_weight.is_null() {
                facts.packed_header().check(args.packed_weight.cast())?;
            }
            let own = self.own_workspace(args.workspace.is_null(), facts.workspace_size)?;
            let workspace = own.as_ref().map_or(args.workspace.cast(), Buffer::as_ptr);
            let run = Crossing((args, workspace));
            self.context.threads.enter(facts.workers > 1, |team| forward.run(run.get().0, run.get().1, team))
        }
    }

    /// A workspace from the context's allocator where the caller gave none.
    fn own_workspace(&self, needed: bool, size: usize) -> Result<Option<Buffer>> {
        needed.then(|| self.context.memory.allocate(size, "workspace")).transpose()
    }

    /// # Safety
    ///
    /// As [`Plan::forward`].
    pub unsafe fn backward(&self, _args: &dcn_backward_args) -> Result<()> {
        self.pass(DCN_PASS_BACKWARD).map(drop)
    }

    fn pass(&self, pass: dcn_pass) -> Result<&dyn Forward> {
        match pass {
            DCN_PASS_FORWARD => self.forward.as_deref().ok_or_else(|| {
                Error::unsupported("the plan was made without 1 << DCN_PASS_FORWARD in problem->passes")
            }),
            DCN_PASS_BACKWARD => Err(Error::unsupported("the backward pass is not part of this release")),
            _ => Err(Error::argument(format!("pass is {pass}, expected DCN_PASS_FORWARD or DCN_PASS_BACKWARD"))),
        }
    }
}

/// The pointers of a call, on their way to the threads that work for it.
struct Crossing<T>(T);

// SAFETY: the call waits for its threads, and the caller lends it the memory for as long.
unsafe impl<T> Send for Crossing<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Crossing<T> {}

impl<T: Copy> Crossing<T> {
    fn get(&self) -> T {
        self.0
    }
}

/// What can be said of a backend on this machine: a line, or the error that using it gives.
pub fn backend_status(backend: dcn_backend) -> Result<String> {
    let known = [DCN_BACKEND_CPU, DCN_BACKEND_ASCEND].contains(&backend);
    require(known, || {
        Error::argument(format!("backend is {backend}, expected DCN_BACKEND_CPU or DCN_BACKEND_ASCEND"))
    })?;
    require(backend == DCN_BACKEND_CPU, || {
        Error::new(DCN_ERROR_BACKEND_UNAVAILABLE, "backend DCN_BACKEND_ASCEND is not part of this release")
    })?;
    let isas = crate::context::Isa::ALL.into_iter().filter(|isa| isa.is_available());
    let names: Vec<_> = isas.map(|isa| isa.name().to_string_lossy()).collect();
    Ok(format!("ready: instruction sets {}", names.join(", ")))
}
