//! The forward pass: for each slab of images bring x into the sampling layout, for each chunk of it sample, multiply,
//! add the bias and round.

use super::cut::{Limits, Slab};
use super::device::{Device, Function};
use super::launch::Stream;
use super::plan::{self, Map, Shared};
use super::run::{self, Address, Buffers, Products, depthwise_kernel, kernel, offset};
use crate::abi::*;
use crate::context::Context;
use crate::error::Result;
use crate::exec::Team;
use crate::plan::implementations::{Facts, Forward, Pass};
use crate::problem::Problem;
use std::sync::Arc;

/// The forward implementation for a problem, on the calling thread's device.
pub fn forward(problem: &Problem, context: &Context) -> Result<Box<Forward>> {
    plan::check(problem)?;
    let device = Device::current(context.ascend_device)?;
    let plan = ForwardPlan::new(problem, device)?;
    run::log_choice(context, "forward", problem);
    Ok(Box::new(plan))
}

struct ForwardPlan {
    device: Arc<Device>,
    shared: Shared,
    map: Map,
    layout_in: Function,
    sample: Function,
    output: Function,
    depthwise: Option<Function>,
}

impl ForwardPlan {
    fn new(problem: &Problem, device: Arc<Device>) -> Result<Self> {
        let shared = Shared::new(problem, false, Limits::default());
        let map = Map::forward(&shared, run::scratch_size(&device, &shared, false)?)?;
        let dtype = problem.dtype;
        Ok(Self {
            layout_in: kernel(&device, "layout_in", dtype)?,
            sample: kernel(&device, "sample", dtype)?,
            output: kernel(&device, "output", dtype)?,
            depthwise: depthwise_kernel(&device, &shared, "forward")?,
            device,
            shared,
            map,
        })
    }

    /// # Safety
    ///
    /// The addresses cover what the problem describes and the map asks for; slab is one of the cut's.
    unsafe fn slab(&self, stream: &Stream, args: &Addresses, slab: Slab, buffers: &Buffers) -> Result<()> {
        let shared = &self.shared;
        let at = args.from(slab.first, shared);
        // SAFETY: the caller's promise.
        unsafe {
            let x = buffers.sampled_x(stream, self.layout_in, at.x, slab)?;
            for chunk in shared.cut.chunks(slab.images) {
                stream.kernel(self.sample, &[x, at.offset, at.mask, buffers.col], &shared.sample(chunk))?;
                Products::Output.start(stream, self.depthwise, buffers, chunk)?;
                stream.kernel(self.output, &[buffers.rows, at.bias, at.y], &shared.output(chunk))?;
            }
        }
        Ok(())
    }
}

/// The tensors of a run, from some image on.
struct Addresses {
    x: Address,
    offset: Address,
    mask: Address,
    bias: Address,
    y: Address,
}

impl Addresses {
    fn from(&self, image: i64, shared: &Shared) -> Self {
        let bytes = shared.image_bytes();
        Self {
            x: offset(self.x, image * bytes.x),
            offset: offset(self.offset, image * bytes.offset),
            mask: offset(self.mask, image * bytes.mask),
            y: offset(self.y, image * bytes.y),
            ..*self
        }
    }
}

impl Pass<dcn_forward_args> for ForwardPlan {
    fn facts(&self) -> Facts {
        run::facts(&self.shared, &self.map)
    }

    unsafe fn pack(&self, args: &dcn_pack_args, _team: &Team) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { run::pack(&self.device, &self.shared, self.layout_in, args) }
    }

    unsafe fn run(&self, args: &dcn_forward_args, workspace: *mut u8, _team: &Team) -> Result<()> {
        let shared = &self.shared;
        let stream = Stream::new(&self.device, args.stream)?;
        if shared.problem.geometry.n == 0 {
            return Ok(());
        }
        let buffers = Buffers::new(shared, &self.map, workspace, args.packed_weight);
        let addresses = Addresses {
            x: args.x.cast_mut(),
            offset: args.offset.cast_mut(),
            mask: args.mask.cast_mut(),
            bias: args.bias.cast_mut(),
            y: args.y,
        };
        // SAFETY: the caller's promise; the map places what it says within the workspace.
        unsafe {
            if args.packed_weight.is_null() {
                stream.kernel(self.layout_in, &[args.weight.cast_mut(), buffers.weight], &shared.weight_in())?;
            }
            for slab in shared.cut.slabs() {
                self.slab(&stream, &addresses, slab, &buffers)?;
            }
        }
        Ok(())
    }
}
