//! A checked problem and how it will be computed. Immutable.
//!
//! - [`implementations`]: the ordered list that a plan takes the first fitting entry of;
//! - [`forward`], [`tiling`], [`maps`], [`arena`]: the fused forward pass decided: cuts and workspace;
//! - [`backward`], [`cuts`], [`band`], [`batch`]: the fused backward pass decided;
//! - [`direct`]: the last resort, for both passes;
//! - [`packed`]: the header of packed weights;
//! - [`arguments`]: the pointers of a run, checked.

pub mod arena;
mod arguments;
pub mod backward;
pub mod band;
mod batch;
pub mod cuts;
pub mod direct;
pub mod forward;
pub(crate) mod implementations;
pub mod maps;
pub(crate) mod packed;
mod sharing;
pub mod tiling;

use crate::abi::*;
use crate::context::{Buffer, Context};
use crate::error::{Error, Result, require};
use crate::problem::{Backend, Problem};
use implementations::{Backward, Candidates, Facts, Forward, Pass};
use std::ffi::c_void;
use std::sync::Arc;
use std::time::Instant;

/// The inside of a `dcn_plan`.
pub struct Plan {
    context: Arc<Context>,
    problem: Problem,
    /// Or why this plan has none.
    forward: Result<Planned<Forward>>,
    backward: Result<Planned<Backward>>,
}

/// An implementation, and what is known of it: asked for once, as every run needs it.
struct Planned<P: ?Sized> {
    pass: Box<P>,
    facts: Facts,
}

impl<A> Planned<dyn Pass<A>> {
    fn new(pass: Box<dyn Pass<A>>) -> Self {
        Self { facts: pass.facts(), pass }
    }
}

impl Plan {
    pub fn new(context: Arc<Context>, description: &dcn_problem) -> Result<Self> {
        Self::of(Candidates::All, context, description)
    }

    /// A plan of the direct implementations, whatever the size of the images: for tests.
    pub fn direct(context: Arc<Context>, description: &dcn_problem) -> Result<Self> {
        Self::of(Candidates::Direct, context, description)
    }

    fn of(candidates: Candidates, context: Arc<Context>, description: &dcn_problem) -> Result<Self> {
        Self::decide(candidates, context.clone(), description).inspect_err(|Error { status, message }| {
            context.log.line(DCN_LOG_CHECK, || format!("plan,refused,{status},{message}"));
        })
    }

    fn decide(candidates: Candidates, context: Arc<Context>, description: &dcn_problem) -> Result<Self> {
        let problem = Problem::new(description)?;
        let asked = |pass: dcn_pass, name: &str| {
            require(problem.passes & 1 << pass != 0, || {
                Error::unsupported(format!("the plan was made without 1 << {name} in problem->passes"))
            })
        };
        let forward = asked(DCN_PASS_FORWARD, "DCN_PASS_FORWARD");
        let forward = forward.and_then(|()| implementations::forward(&problem, &context, candidates));
        let backward = asked(DCN_PASS_BACKWARD, "DCN_PASS_BACKWARD");
        let backward = backward.and_then(|()| implementations::backward(&problem, &context, candidates));
        // Whoever leaves the passes to the default may still run the one that there is.
        let one_will_do = description.passes == 0 && (forward.is_ok() || backward.is_ok());
        for (pass, error) in [(DCN_PASS_FORWARD, forward.as_ref().err()), (DCN_PASS_BACKWARD, backward.as_ref().err())]
        {
            let wanted = problem.passes & 1 << pass != 0;
            match error {
                Some(error) if wanted && !(one_will_do && error.status == DCN_ERROR_UNSUPPORTED) => {
                    return Err(error.clone());
                }
                _ => {}
            }
        }
        Ok(Self { context, problem, forward: forward.map(Planned::new), backward: backward.map(Planned::new) })
    }

    pub fn info(&self) -> dcn_plan_info {
        let forward = self.forward.as_ref().ok().map(|planned| planned.facts);
        let backward = self.backward.as_ref().ok().map(|planned| planned.facts);
        let either = forward.or(backward);
        let workers = [forward, backward].into_iter().flatten().map(|facts| facts.workers).max();
        dcn_plan_info {
            struct_size: size_of::<dcn_plan_info>(),
            isa: either.map_or(c"", |facts| facts.isa).as_ptr(),
            forward_kernel: forward.map_or(c"", |facts| facts.kernel).as_ptr(),
            backward_kernel: backward.map_or(c"", |facts| facts.kernel).as_ptr(),
            forward_flops: self.problem.forward_flops(),
            backward_flops: self.problem.forward_flops().saturating_mul(2),
            packed_layout: [forward, backward].map(|facts| facts.map_or(0, |facts| facts.packed_layout)),
            tile_positions: either.map_or(0, |facts| facts.tile_positions as u32),
            max_tasks: workers.unwrap_or(0) as u32,
        }
    }

    pub fn workspace_size(&self, pass: dcn_pass) -> Result<usize> {
        Ok(self.facts(pass)?.workspace_size)
    }

    pub fn packed_weight_size(&self, pass: dcn_pass) -> Result<usize> {
        Ok(self.facts(pass)?.packed_size)
    }

    /// # Safety
    ///
    /// The pointers must be NULL or cover the weights and `packed_size` bytes.
    pub unsafe fn pack_weight(&self, args: &dcn_pack_args) -> Result<()> {
        arguments::check_pack(&self.problem, &self.facts(args.pass)?, args)?;
        let call = Crossing(args);
        self.context.threads.enter(false, |team| {
            let args = call.get();
            // SAFETY: checked as far as can be, and the caller's promise for the rest.
            unsafe {
                match args.pass {
                    DCN_PASS_FORWARD => self.planned_forward()?.pass.pack(args, team),
                    _ => self.planned_backward()?.pass.pack(args, team),
                }
            }
        })
    }

    /// # Safety
    ///
    /// The pointers must be NULL or cover what the problem describes, and the workspace its size.
    pub unsafe fn forward(&self, args: &dcn_forward_args) -> Result<()> {
        self.logged("forward", &self.forward, || {
            let planned = self.planned_forward()?;
            arguments::check_forward(&self.problem, &planned.facts, args)?;
            let buffers = (args.packed_weight, args.workspace);
            // SAFETY: the caller's promise; the arguments were checked.
            unsafe { self.run(planned, args, buffers) }
        })
    }

    /// # Safety
    ///
    /// As [`Plan::forward`].
    pub unsafe fn backward(&self, args: &dcn_backward_args) -> Result<()> {
        self.logged("backward", &self.backward, || {
            let planned = self.planned_backward()?;
            arguments::check_backward(&self.problem, &planned.facts, args)?;
            let buffers = (args.packed_weight, args.workspace);
            // SAFETY: the caller's promise; the arguments were checked.
            unsafe { self.run(planned, args, buffers) }
        })
    }

    /// Runs a pass whose arguments were checked, in the caller's workspace or one from the context's allocator.
    unsafe fn run<A>(
        &self,
        Planned { pass, facts }: &Planned<dyn Pass<A>>,
        args: &A,
        (packed, workspace): (*const c_void, *mut c_void),
    ) -> Result<()> {
        // What lies in device memory cannot be looked at.
        if !packed.is_null() && self.problem.backend == Backend::Cpu {
            // SAFETY: the caller has given as many bytes as the plan asks for, which a header is the beginning of.
            unsafe { facts.packed_header().check(packed.cast())? };
        }
        let allocate = || self.context.memory.allocate(facts.workspace_size, "workspace");
        let own = workspace.is_null().then(allocate).transpose()?;
        let workspace = own.as_ref().map_or(workspace.cast(), Buffer::as_ptr);
        let call = Crossing((args, workspace));
        self.context.threads.enter(facts.workers > 1, |team| {
            let (args, workspace) = call.get();
            // SAFETY: the caller's promise; the workspace has the plan's size.
            unsafe { pass.run(args, workspace, team) }
        })
    }

    /// Logs how a run went.
    fn logged<P: ?Sized>(
        &self,
        pass: &str,
        planned: &Result<Planned<P>>,
        run: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let log = &self.context.log;
        let start = log.wants(DCN_LOG_PROFILE).then(Instant::now);
        let outcome = run();
        match &outcome {
            Err(Error { status, message }) => log.line(DCN_LOG_ERROR, || format!("{pass},{status},{message}")),
            Ok(()) => log.line(DCN_LOG_PROFILE, || {
                let kernel = planned.as_ref().map_or("".into(), |planned| planned.facts.kernel.to_string_lossy());
                let time = start.map_or(0.0, |start| start.elapsed().as_secs_f64() * 1e3);
                format!("{pass},{kernel},{},{time:.3} ms", implementations::shape(&self.problem))
            }),
        }
        outcome
    }

    fn facts(&self, pass: dcn_pass) -> Result<Facts> {
        match pass {
            DCN_PASS_FORWARD => Ok(self.planned_forward()?.facts),
            DCN_PASS_BACKWARD => Ok(self.planned_backward()?.facts),
            _ => Err(Error::argument(format!("pass is {pass}, expected DCN_PASS_FORWARD or DCN_PASS_BACKWARD"))),
        }
    }

    fn planned_forward(&self) -> Result<&Planned<Forward>> {
        self.forward.as_ref().map_err(Error::clone)
    }

    fn planned_backward(&self) -> Result<&Planned<Backward>> {
        self.backward.as_ref().map_err(Error::clone)
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
    if backend == DCN_BACKEND_ASCEND {
        return crate::ascend::status();
    }
    let isas = crate::context::Isa::ALL.into_iter().filter(|isa| isa.is_available());
    let names: Vec<_> = isas.map(|isa| isa.name().to_string_lossy()).collect();
    Ok(format!("ready: instruction sets {}", names.join(", ")))
}
