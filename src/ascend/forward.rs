//! The forward pass: for each slab of images bring x into the sampling layout, for each chunk of it sample, multiply, add
//! the bias and round.

use super::cut::{Limits, Slab};
use super::device::{Device, Function};
use super::launch::{Scratch, Stream};
use super::plan::{self, Copy, Map, Shared};
use super::run::{self, Address, Buffers, depthwise_kernel, kernel, offset};
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
            let x = match shared.x {
                Copy::None => at.x,
                _ => {
                    stream.kernel(self.layout_in, &[at.x, at.x_copy], &shared.x_in(slab))?;
                    at.x_copy
                }
            };
            for chunk in shared.cut.chunks(slab.images) {
                stream.kernel(self.sample, &[x, at.offset, at.mask, buffers.col], &shared.sample(chunk))?;
                run::multiply(stream, shared, self.depthwise, buffers, chunk)?;
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
    /// The slab's copy of x.
    x_copy: Address,
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
        let (shared, map) = (&self.shared, &self.map);
        let stream = Stream::new(&self.device, args.stream)?;
        if shared.problem.geometry.n == 0 {
            return Ok(());
        }
        let at = |bytes: usize| workspace.wrapping_add(bytes).cast();
        // SAFETY: the caller's promise; the map places what it says within the workspace.
        unsafe {
            let weight = match args.packed_weight.is_null() {
                false => args.packed_weight.cast_mut(),
                true => {
                    let addresses = [args.weight.cast_mut(), at(map.weight)];
                    stream.kernel(self.layout_in, &addresses, &shared.weight_in())?;
                    at(map.weight)
                }
            };
            let buffers = Buffers {
                weight,
                col: at(map.col),
                rows: at(map.rows),
                grad_weight: std::ptr::null_mut(),
                scratch: Scratch { address: at(map.product), size: map.product_size },
            };
            let addresses = Addresses {
                x: args.x.cast_mut(),
                offset: args.offset.cast_mut(),
                mask: args.mask.cast_mut(),
                bias: args.bias.cast_mut(),
                y: args.y,
                x_copy: at(map.x),
            };
            for slab in shared.cut.slabs() {
                self.slab(&stream, &addresses, slab, &buffers)?;
            }
        }
        Ok(())
    }
}
