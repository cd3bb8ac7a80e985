//! The backward pass: for each slab the gradients of its samples, chunk by chunk, and the sum of grad_weight over all
//! chunks; then what is per problem is brought home.

use super::cut::{Limits, Slab};
use super::device::{Device, Function};
use super::launch::Stream;
use super::plan::{self, Copy, Map, Shared};
use super::run::{self, Address, Buffers, Products, depthwise_kernel, kernel, offset};
use super::tiling::{Chunk, LayoutTiling, SampleTiling};
use crate::abi::*;
use crate::context::Context;
use crate::error::Result;
use crate::exec::Team;
use crate::plan::implementations::{Backward, Facts, Pass};
use crate::problem::Problem;
use std::sync::Arc;

/// The backward implementation for a problem, on the calling thread's device.
pub fn backward(problem: &Problem, context: &Context) -> Result<Box<Backward>> {
    plan::check(problem)?;
    let device = Device::current(context.ascend_device)?;
    let plan = BackwardPlan::new(problem, device)?;
    run::log_choice(context, "backward", problem);
    Ok(Box::new(plan))
}

struct BackwardPlan {
    device: Arc<Device>,
    shared: Shared,
    map: Map,
    layout_in: Function,
    layout_out: Function,
    sample: Function,
    grad_output: Function,
    backward: Function,
    grad_bias: Function,
    depthwise_col: Option<Function>,
    depthwise_weight: Option<Function>,
}

impl BackwardPlan {
    fn new(problem: &Problem, device: Arc<Device>) -> Result<Self> {
        let shared = Shared::new(problem, true, Limits::default());
        let map = Map::backward(&shared, run::scratch_size(&device, &shared, true)?)?;
        let dtype = problem.dtype;
        Ok(Self {
            layout_in: kernel(&device, "layout_in", dtype)?,
            layout_out: kernel(&device, "layout_out", dtype)?,
            sample: kernel(&device, "sample", dtype)?,
            grad_output: kernel(&device, "grad_output", dtype)?,
            backward: kernel(&device, "backward", dtype)?,
            grad_bias: kernel(&device, "grad_bias", dtype)?,
            depthwise_col: depthwise_kernel(&device, &shared, "grad_col")?,
            depthwise_weight: depthwise_kernel(&device, &shared, "grad_weight")?,
            device,
            shared,
            map,
        })
    }
}

/// The tensors of a run, from some image on. NULL: absent, or not wanted.
struct Addresses {
    x: Address,
    offset: Address,
    mask: Address,
    grad_y: Address,
    grad_x: Address,
    grad_offset: Address,
    grad_mask: Address,
    grad_weight: Address,
    grad_bias: Address,
}

impl Addresses {
    fn new(args: &dcn_backward_args) -> Self {
        Self {
            x: args.x.cast_mut(),
            offset: args.offset.cast_mut(),
            mask: args.mask.cast_mut(),
            grad_y: args.grad_y.cast_mut(),
            grad_x: args.grad_x,
            grad_offset: args.grad_offset,
            grad_mask: args.grad_mask,
            grad_weight: args.grad_weight,
            grad_bias: args.grad_bias,
        }
    }

    fn from(&self, image: i64, shared: &Shared) -> Self {
        let bytes = shared.image_bytes();
        Self {
            x: offset(self.x, image * bytes.x),
            offset: offset(self.offset, image * bytes.offset),
            mask: offset(self.mask, image * bytes.mask),
            grad_y: offset(self.grad_y, image * bytes.y),
            grad_x: offset(self.grad_x, image * bytes.x),
            grad_offset: offset(self.grad_offset, image * bytes.offset),
            grad_mask: offset(self.grad_mask, image * bytes.mask),
            ..*self
        }
    }

    /// Whether a gradient of the samples is wanted.
    fn wants_samples(&self) -> bool {
        [self.grad_x, self.grad_offset, self.grad_mask].iter().any(|address| !address.is_null())
    }
}

/// A run in progress.
struct Run<'a> {
    plan: &'a BackwardPlan,
    stream: Stream<'a>,
    tensors: Addresses,
    buffers: Buffers<'a>,
    accumulate: u32,
}

impl Run<'_> {
    fn adds_to(&self, gradient: u32) -> bool {
        self.accumulate & gradient != 0
    }

    /// # Safety
    ///
    /// As [`Pass::run`], and so for all that follow.
    unsafe fn all(&self) -> Result<()> {
        let shared = &self.plan.shared;
        // SAFETY: the caller's promise.
        unsafe {
            if self.tensors.wants_samples() || !self.tensors.grad_weight.is_null() {
                let mut first = true;
                for slab in shared.cut.slabs() {
                    self.slab(slab, first)?;
                    first = false;
                }
            }
            self.grad_weight()?;
            if !self.tensors.grad_bias.is_null() {
                let addresses = [self.tensors.grad_y, self.tensors.grad_bias];
                let tiling = shared.grad_bias(self.adds_to(DCN_GRAD_BIAS));
                self.stream.kernel(self.plan.grad_bias, &addresses, &tiling)?;
            }
        }
        Ok(())
    }

    unsafe fn slab(&self, slab: Slab, first: bool) -> Result<()> {
        let (plan, shared) = (self.plan, &self.plan.shared);
        let at = self.tensors.from(slab.first, shared);
        // SAFETY: the caller's promise; slabs are parts of the batch.
        unsafe {
            let x = self.buffers.sampled_x(&self.stream, plan.layout_in, at.x, slab)?;
            let grad_x = self.start_grad_x(at.grad_x, slab)?;
            for (i, chunk) in shared.cut.chunks(slab.images).enumerate() {
                self.chunk(&Addresses { x, grad_x, ..at }, chunk, first && i == 0)?;
            }
            if grad_x != at.grad_x {
                let tiling = shared.grad_x_out(slab);
                let tiling = LayoutTiling { accumulate: self.adds_to(DCN_GRAD_X).into(), ..tiling };
                self.stream.kernel(plan.layout_out, &[grad_x, at.grad_x], &tiling)?;
            }
        }
        Ok(())
    }

    /// Where the samples' shares of a slab's grad_x are added up, begun with 0 or with what is there; NULL if not
    /// wanted.
    unsafe fn start_grad_x(&self, grad_x: Address, slab: Slab) -> Result<Address> {
        let shared = &self.plan.shared;
        if grad_x.is_null() {
            return Ok(grad_x);
        }
        let in_place = shared.grad_x() == Copy::None;
        let sum = if in_place { grad_x } else { self.buffers.grad_x };
        if !(in_place && self.adds_to(DCN_GRAD_X)) {
            let bytes = slab.images * shared.image() * size_of::<f32>() as i64;
            // SAFETY: the slab's grad_x, or its buffer, is of floats.
            unsafe { self.stream.zero(sum, bytes as usize)? };
        }
        Ok(sum)
    }

    unsafe fn chunk(&self, at: &Addresses, chunk: Chunk, first: bool) -> Result<()> {
        let (plan, shared, stream, buffers) = (self.plan, &self.plan.shared, &self.stream, &self.buffers);
        // SAFETY: the caller's promise.
        unsafe {
            stream.kernel(plan.grad_output, &[at.grad_y, buffers.rows], &shared.output(chunk))?;
            if !at.grad_weight.is_null() {
                stream.kernel(plan.sample, &[at.x, at.offset, at.mask, buffers.col], &shared.sample(chunk))?;
                let products = Products::GradWeight { accumulate: !first };
                products.start(stream, plan.depthwise_weight, buffers, chunk)?;
            }
            if at.wants_samples() {
                Products::GradCol.start(stream, plan.depthwise_col, buffers, chunk)?;
                let Addresses { x, offset, mask, grad_x, grad_offset, grad_mask, .. } = *at;
                let addresses = [x, offset, mask, buffers.col, grad_x, grad_offset, grad_mask];
                let tiling = SampleTiling {
                    accumulate_offset: self.adds_to(DCN_GRAD_OFFSET).into(),
                    accumulate_mask: self.adds_to(DCN_GRAD_MASK).into(),
                    ..shared.sample(chunk)
                };
                stream.kernel(plan.backward, &addresses, &tiling)?;
            }
        }
        Ok(())
    }

    /// Brings the sum over all chunks home; over none it is 0.
    unsafe fn grad_weight(&self) -> Result<()> {
        let (shared, to) = (&self.plan.shared, self.tensors.grad_weight);
        if to.is_null() {
            return Ok(());
        }
        let accumulate = self.adds_to(DCN_GRAD_WEIGHT);
        // SAFETY: the caller's promise.
        unsafe {
            if shared.problem.geometry.n == 0 {
                let bytes = shared.weights() as usize * shared.problem.dtype.size();
                return if accumulate { Ok(()) } else { self.stream.zero(to, bytes) };
            }
            let tiling = LayoutTiling { accumulate: accumulate.into(), ..shared.weight_out() };
            self.stream.kernel(self.plan.layout_out, &[self.buffers.grad_weight, to], &tiling)
        }
    }
}

impl Pass<dcn_backward_args> for BackwardPlan {
    fn facts(&self) -> Facts {
        run::facts(&self.shared, &self.map)
    }

    unsafe fn pack(&self, args: &dcn_pack_args, _team: &Team) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { run::pack(&self.device, &self.shared, self.layout_in, args) }
    }

    unsafe fn run(&self, args: &dcn_backward_args, workspace: *mut u8, _team: &Team) -> Result<()> {
        let shared = &self.shared;
        let stream = Stream::new(&self.device, args.stream)?;
        let tensors = Addresses::new(args);
        let buffers = Buffers::new(shared, &self.map, workspace, args.packed_weight);
        let packs = args.packed_weight.is_null() && tensors.wants_samples() && shared.problem.geometry.n > 0;
        // SAFETY: the caller's promise; the map places what it says within the workspace.
        unsafe {
            if packs {
                stream.kernel(self.layout_in, &[args.weight.cast_mut(), buffers.weight], &shared.weight_in())?;
            }
            let run = Run { plan: self, stream, tensors, buffers, accumulate: args.accumulate };
            run.all()
        }
    }
}
