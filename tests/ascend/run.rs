//! Plans on the device, and the tensors of a problem in its memory.

use super::device::{Buffer, Stream};
use super::fake::Fake;
use crate::common::problem::{Gradients, Problem};
use crate::common::runner::all_gradients;
use crate::common::tensor::Tensor;
use deformconv::abi::*;
use deformconv::ffi::*;
use std::ffi::{CStr, c_void};
use std::mem::MaybeUninit;
use std::ptr;

/// A call that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub call: &'static str,
    pub status: dcn_status,
    pub message: String,
}

pub fn check(call: &'static str, status: dcn_status) -> Result<(), Refusal> {
    if status == DCN_OK {
        return Ok(());
    }
    let mut text = vec![0u8; 4096];
    // SAFETY: the buffer has that many bytes.
    unsafe { dcn_last_error_message(text.as_mut_ptr().cast(), text.len()) };
    let text = CStr::from_bytes_until_nul(&text).expect("the message is terminated");
    Err(Refusal { call, status, message: text.to_string_lossy().into_owned() })
}

/// A plan on the calling thread's device.
pub struct Plan {
    pub handle: *mut dcn_plan,
    context: *mut dcn_context,
}

// SAFETY: plans and contexts may be used from any thread.
unsafe impl Send for Plan {}
// SAFETY: as above.
unsafe impl Sync for Plan {}

impl Plan {
    /// `device`: as config->ascend_device.
    pub fn new(descriptor: &dcn_problem, device: i32) -> Result<Self, Refusal> {
        // SAFETY: zero is the default of every field.
        let mut config: dcn_context_config = unsafe { MaybeUninit::zeroed().assume_init() };
        config.struct_size = size_of::<dcn_context_config>();
        config.num_threads = 1;
        config.ascend_device = device;
        let mut plan = Self { handle: ptr::null_mut(), context: ptr::null_mut() };
        let descriptor = dcn_problem { backend: DCN_BACKEND_ASCEND, ..*descriptor };
        // SAFETY: a valid configuration and descriptor, writable handles.
        unsafe {
            check("dcn_context_create", dcn_context_create(&config, &mut plan.context))?;
            check("dcn_plan_create", dcn_plan_create(plan.context, &descriptor, &mut plan.handle))?;
        }
        Ok(plan)
    }

    pub fn workspace_size(&self, pass: dcn_pass) -> usize {
        let mut size = 0;
        // SAFETY: a live plan.
        let status = unsafe { dcn_plan_workspace_size(self.handle, pass, &mut size) };
        check("dcn_plan_workspace_size", status).expect("a workspace size");
        size
    }

    pub fn packed_size(&self, pass: dcn_pass) -> usize {
        let mut size = 0;
        // SAFETY: a live plan.
        let status = unsafe { dcn_plan_packed_weight_size(self.handle, pass, &mut size) };
        check("dcn_plan_packed_weight_size", status).expect("a size of packed weights");
        size
    }

    pub fn forward(&self, args: &dcn_forward_args) -> Result<(), Refusal> {
        // SAFETY: the arguments are those of a live test.
        check("dcn_plan_forward", unsafe { dcn_plan_forward(self.handle, args) })
    }

    pub fn backward(&self, args: &dcn_backward_args) -> Result<(), Refusal> {
        // SAFETY: as above.
        check("dcn_plan_backward", unsafe { dcn_plan_backward(self.handle, args) })
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        // SAFETY: live handles or NULL, given up here.
        unsafe {
            dcn_plan_destroy(self.handle);
            dcn_context_destroy(self.context);
        }
    }
}

/// The bytes of a tensor without gaps between its elements, which start with element [0, ..., 0], whatever their order.
fn bytes(tensor: &Tensor) -> Vec<u8> {
    let size = tensor.dims.iter().product::<i64>() as usize * tensor.dtype.size();
    let mut bytes = vec![0; size];
    if size > 0 {
        // SAFETY: the tensor's elements have that many bytes.
        unsafe { ptr::copy_nonoverlapping(tensor.pointer().cast(), bytes.as_mut_ptr(), size) };
    }
    bytes
}

/// Copies device memory to such a tensor. Runs what waits on the stream.
pub fn fetch(stream: &Stream, from: &Buffer, tensor: &Tensor) {
    let mut got = bytes(tensor);
    stream.download(from, &mut got);
    if !got.is_empty() {
        // SAFETY: the tensor's elements have that many bytes; its memory is raw, and nobody else looks at it.
        unsafe { ptr::copy_nonoverlapping(got.as_ptr(), tensor.pointer().cast(), got.len()) };
    }
}

fn address(buffer: Option<&Buffer>) -> *mut c_void {
    buffer.map_or(ptr::null_mut(), |buffer| buffer.address)
}

/// The inputs of a problem in device memory.
pub struct Inputs<'f> {
    x: Buffer<'f>,
    offset: Buffer<'f>,
    mask: Option<Buffer<'f>>,
    weight: Buffer<'f>,
    bias: Option<Buffer<'f>>,
}

impl<'f> Inputs<'f> {
    pub fn new(stream: &Stream<'f>, problem: &Problem) -> Self {
        let upload = |tensor: &Tensor| stream.upload(&bytes(tensor));
        Self {
            x: upload(&problem.x),
            offset: upload(&problem.offset),
            mask: problem.mask.as_ref().map(upload),
            weight: upload(&problem.weight),
            bias: problem.bias.as_ref().map(upload),
        }
    }

    pub fn pack(&self, plan: &Plan, stream: &Stream<'f>, pass: dcn_pass) -> Result<Buffer<'f>, Refusal> {
        let packed = Buffer::new(stream.fake, plan.packed_size(pass));
        self.pack_into(&packed, plan, stream, pass)?;
        Ok(packed)
    }

    pub fn pack_into(&self, packed: &Buffer, plan: &Plan, stream: &Stream, pass: dcn_pass) -> Result<(), Refusal> {
        let args = dcn_pack_args {
            struct_size: size_of::<dcn_pack_args>(),
            pass,
            reserved0: 0,
            weight: self.weight.address,
            packed: packed.address,
            packed_size: packed.size,
            workspace: ptr::null_mut(),
            workspace_size: 0,
            stream: stream.handle,
        };
        // SAFETY: device memory of these sizes.
        check("dcn_plan_pack_weight", unsafe { dcn_plan_pack_weight(plan.handle, &args) })
    }
}

/// Everything a forward run needs in device memory.
pub struct Forward<'f> {
    pub inputs: Inputs<'f>,
    pub packed: Option<Buffer<'f>>,
    pub y: Buffer<'f>,
    pub workspace: Buffer<'f>,
    pub stream: *mut c_void,
}

impl<'f> Forward<'f> {
    pub fn new(plan: &Plan, stream: &Stream<'f>, problem: &Problem) -> Self {
        Self {
            inputs: Inputs::new(stream, problem),
            packed: None,
            y: Buffer::new(stream.fake, bytes(&problem.y()).len()),
            workspace: Buffer::new(stream.fake, plan.workspace_size(DCN_PASS_FORWARD)),
            stream: stream.handle,
        }
    }

    pub fn args(&self) -> dcn_forward_args {
        let inputs = &self.inputs;
        dcn_forward_args {
            struct_size: size_of::<dcn_forward_args>(),
            x: inputs.x.address,
            offset: inputs.offset.address,
            mask: address(inputs.mask.as_ref()),
            weight: if self.packed.is_some() { ptr::null() } else { inputs.weight.address },
            packed_weight: address(self.packed.as_ref()),
            packed_weight_size: self.packed.as_ref().map_or(0, |packed| packed.size),
            bias: address(inputs.bias.as_ref()),
            y: self.y.address,
            workspace: self.workspace.address,
            workspace_size: self.workspace.size,
            stream: self.stream,
        }
    }
}

/// Everything a backward run needs in device memory; gradients that are not wanted have none.
pub struct Backward<'f> {
    pub inputs: Inputs<'f>,
    pub packed: Option<Buffer<'f>>,
    grad_y: Buffer<'f>,
    pub gradients: Vec<(&'static str, Buffer<'f>)>,
    pub workspace: Buffer<'f>,
    stream: *mut c_void,
    accumulate: u32,
}

impl<'f> Backward<'f> {
    /// The gradients start with what `gradients` holds.
    pub fn new(
        plan: &Plan,
        stream: &Stream<'f>,
        (problem, gradients): (&Problem, &Gradients),
        (wanted, accumulate): (u32, u32),
    ) -> Self {
        let outputs = gradients.outputs();
        let outputs = outputs.into_iter().filter(|(name, _)| wanted & bit(name) != 0);
        Self {
            inputs: Inputs::new(stream, problem),
            packed: None,
            grad_y: stream.upload(&bytes(&gradients.y)),
            gradients: outputs.map(|(name, tensor)| (name, stream.upload(&bytes(tensor)))).collect(),
            workspace: Buffer::new(stream.fake, plan.workspace_size(DCN_PASS_BACKWARD)),
            stream: stream.handle,
            accumulate: accumulate & wanted,
        }
    }

    pub fn args(&self) -> dcn_backward_args {
        let inputs = &self.inputs;
        let gradient = |name| address(self.gradients.iter().find(|(of, _)| *of == name).map(|(_, buffer)| buffer));
        dcn_backward_args {
            struct_size: size_of::<dcn_backward_args>(),
            x: inputs.x.address,
            offset: inputs.offset.address,
            mask: address(inputs.mask.as_ref()),
            weight: if self.packed.is_some() { ptr::null() } else { inputs.weight.address },
            packed_weight: address(self.packed.as_ref()),
            packed_weight_size: self.packed.as_ref().map_or(0, |packed| packed.size),
            grad_y: self.grad_y.address,
            grad_x: gradient("grad_x"),
            grad_offset: gradient("grad_offset"),
            grad_mask: gradient("grad_mask"),
            grad_weight: gradient("grad_weight"),
            grad_bias: gradient("grad_bias"),
            accumulate: self.accumulate,
            reserved0: 0,
            workspace: self.workspace.address,
            workspace_size: self.workspace.size,
            stream: self.stream,
        }
    }
}

pub fn bit(gradient: &str) -> u32 {
    let known = crate::common::runner::GRADIENTS;
    known.into_iter().find(|(name, _)| *name == gradient).expect("a gradient's name").1
}

/// How a problem is run: nothing of it may change a bit of y.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    pub packed: bool,
    pub default_stream: bool,
}

impl Setup {
    pub fn stream<'f>(&self, fake: &'f Fake) -> Stream<'f> {
        if self.default_stream { Stream::default(fake) } else { Stream::new(fake) }
    }
}

/// y of a problem, computed on the current device.
pub fn forward(fake: &Fake, problem: &Problem, setup: Setup) -> Result<Tensor, Refusal> {
    let stream = setup.stream(fake);
    let plan = Plan::new(&problem.descriptor, 0)?;
    let mut run = Forward::new(&plan, &stream, problem);
    if setup.packed {
        run.packed = Some(run.inputs.pack(&plan, &stream, DCN_PASS_FORWARD)?);
    }
    plan.forward(&run.args())?;
    // Also where there is nothing to copy back.
    assert_eq!(stream.synchronise(), 0, "{}", fake.violations());
    let y = problem.y();
    fetch(&stream, &run.y, &y);
    Ok(y)
}

/// The gradients of a problem, computed on the current device; `gradients` holds what some are added to.
pub fn backward(
    fake: &Fake,
    problem: &Problem,
    gradients: &Gradients,
    (wanted, accumulate): (u32, u32),
    setup: Setup,
) -> Result<(), Refusal> {
    let stream = setup.stream(fake);
    let plan = Plan::new(&problem.descriptor, 0)?;
    let wanted = wanted & all_gradients(problem);
    let mut run = Backward::new(&plan, &stream, (problem, gradients), (wanted, accumulate));
    if setup.packed {
        run.packed = Some(run.inputs.pack(&plan, &stream, DCN_PASS_BACKWARD)?);
    }
    plan.backward(&run.args())?;
    // Also where nothing is wanted, and nothing copied back.
    assert_eq!(stream.synchronise(), 0, "{}", fake.violations());
    for (name, buffer) in &run.gradients {
        let (_, tensor) = gradients.outputs().into_iter().find(|(of, _)| of == name).expect("a gradient");
        fetch(&stream, buffer, tensor);
    }
    Ok(())
}
