//! The library as a C host uses it: one context and plan a row, weights packed and workspace given beforehand.

use super::buffer::Buffer;
use super::cases::Case;
use super::kinds::{Dtype, Layout, Pass};
use super::operands::Operands;
use super::problem::describe;
use deformconv::abi::*;
use deformconv::ffi::*;
use std::ffi::{CStr, CString, c_char};
use std::mem::{MaybeUninit, size_of};
use std::ptr;

/// A plan that is ready to run, and everything that it runs on but the inputs.
pub struct Runner {
    context: *mut dcn_context,
    plan: *mut dcn_plan,
    info: dcn_plan_info,
    pass: Pass,
    packed: Buffer,
    workspace: Buffer,
    outputs: Outputs,
}

/// What distinguishes the runners of one case.
#[derive(Clone, Debug)]
pub struct Setting {
    pub pass: Pass,
    pub dtype: Dtype,
    pub layout: Layout,
    pub threads: usize,
    /// The highest instruction set allowed; none = the library's choice.
    pub max_isa: Option<String>,
}

/// What a pass writes; what the other one writes is empty.
struct Outputs {
    y: Buffer,
    grad_x: Buffer,
    grad_offset: Buffer,
    grad_mask: Buffer,
    grad_weight: Buffer,
    grad_bias: Buffer,
}

impl Outputs {
    fn new(case: &Case, pass: Pass, dtype: Dtype) -> Self {
        let of = |writer: Pass, dims: &[i64]| {
            if pass == writer { Buffer::tensor(dims, dtype) } else { Buffer::new(0) }
        };
        Self {
            y: of(Pass::Forward, &case.y()),
            grad_x: of(Pass::Backward, &case.x),
            grad_offset: of(Pass::Backward, &case.offset()),
            grad_mask: of(Pass::Backward, &case.mask()),
            grad_weight: of(Pass::Backward, &case.weight()),
            grad_bias: of(Pass::Backward, &[case.out_channels]),
        }
    }
}

impl Runner {
    /// Fails with the library's status and message, for example where it does not support the case.
    pub fn new(case: &Case, setting: &Setting, operands: &Operands) -> Result<Self, String> {
        let mut runner = Self {
            context: ptr::null_mut(),
            plan: ptr::null_mut(),
            info: zeroed_info(),
            pass: setting.pass,
            packed: Buffer::new(0),
            workspace: Buffer::new(0),
            outputs: Outputs::new(case, setting.pass, setting.dtype),
        };
        let max_isa = setting.max_isa.as_deref().map(|isa| CString::new(isa).expect("no NUL in an argument"));
        let problem = describe(case, setting.pass, setting.dtype, setting.layout);
        // SAFETY: all-zero is the default of every field of the configuration; all pointers are to live objects, and
        // `runner` destroys what it has when it is dropped.
        unsafe {
            let mut config = MaybeUninit::<dcn_context_config>::zeroed().assume_init();
            config.struct_size = size_of::<dcn_context_config>();
            config.num_threads = i32::try_from(setting.threads).map_err(|e| e.to_string())?;
            config.max_isa = max_isa.as_ref().map_or(ptr::null(), |isa| isa.as_ptr());
            check(dcn_context_create(&config, &mut runner.context))?;
            check(dcn_plan_create(runner.context, &problem, &mut runner.plan))?;
            check(dcn_plan_get_info(runner.plan, &mut runner.info))?;
        }
        runner.workspace = runner.buffer(dcn_plan_workspace_size)?;
        runner.pack(operands)?;
        Ok(runner)
    }

    fn buffer(
        &self,
        size: unsafe extern "C" fn(*const dcn_plan, dcn_pass, *mut usize) -> dcn_status,
    ) -> Result<Buffer, String> {
        let mut bytes = 0;
        // SAFETY: a live plan and a place for the answer.
        check(unsafe { size(self.plan, self.pass.code(), &mut bytes) })?;
        Ok(Buffer::new(bytes))
    }

    fn pack(&mut self, operands: &Operands) -> Result<(), String> {
        self.packed = self.buffer(dcn_plan_packed_weight_size)?;
        let args = dcn_pack_args {
            struct_size: size_of::<dcn_pack_args>(),
            pass: self.pass.code(),
            reserved0: 0,
            weight: operands.weight.as_ptr(),
            packed: self.packed.as_mut_ptr(),
            packed_size: self.packed.bytes,
            workspace: ptr::null_mut(),
            workspace_size: 0,
            stream: ptr::null_mut(),
        };
        // SAFETY: the buffers have the sizes that the problem and the plan ask for.
        check(unsafe { dcn_plan_pack_weight(self.plan, &args) })
    }

    /// One run of the pass; backward, with all five gradients.
    pub fn run(&mut self, operands: &Operands) -> Result<(), String> {
        match self.pass {
            Pass::Forward => self.forward(operands),
            Pass::Backward => self.backward(operands),
        }
    }

    fn forward(&mut self, operands: &Operands) -> Result<(), String> {
        let args = dcn_forward_args {
            struct_size: size_of::<dcn_forward_args>(),
            x: operands.x.as_ptr(),
            offset: operands.offset.as_ptr(),
            mask: operands.mask.as_ptr(),
            weight: ptr::null(),
            packed_weight: self.packed.as_ptr(),
            packed_weight_size: self.packed.bytes,
            bias: operands.bias.as_ptr(),
            y: self.outputs.y.as_mut_ptr(),
            workspace: self.workspace.as_mut_ptr(),
            workspace_size: self.workspace.bytes,
            stream: ptr::null_mut(),
        };
        // SAFETY: the buffers have the sizes that the problem and the plan ask for.
        check(unsafe { dcn_plan_forward(self.plan, &args) })
    }

    fn backward(&mut self, operands: &Operands) -> Result<(), String> {
        let args = dcn_backward_args {
            struct_size: size_of::<dcn_backward_args>(),
            x: operands.x.as_ptr(),
            offset: operands.offset.as_ptr(),
            mask: operands.mask.as_ptr(),
            weight: ptr::null(),
            packed_weight: self.packed.as_ptr(),
            packed_weight_size: self.packed.bytes,
            grad_y: operands.grad_y.as_ptr(),
            grad_x: self.outputs.grad_x.as_mut_ptr(),
            grad_offset: self.outputs.grad_offset.as_mut_ptr(),
            grad_mask: self.outputs.grad_mask.as_mut_ptr(),
            grad_weight: self.outputs.grad_weight.as_mut_ptr(),
            grad_bias: self.outputs.grad_bias.as_mut_ptr(),
            accumulate: 0,
            reserved0: 0,
            workspace: self.workspace.as_mut_ptr(),
            workspace_size: self.workspace.bytes,
            stream: ptr::null_mut(),
        };
        // SAFETY: the buffers have the sizes that the problem and the plan ask for.
        check(unsafe { dcn_plan_backward(self.plan, &args) })
    }

    /// Floating-point operations that any implementation of the pass needs.
    pub fn flops(&self) -> u64 {
        match self.pass {
            Pass::Forward => self.info.forward_flops,
            Pass::Backward => self.info.backward_flops,
        }
    }

    pub fn isa(&self) -> &'static str {
        static_text(self.info.isa)
    }

    pub fn kernel(&self) -> &'static str {
        static_text(match self.pass {
            Pass::Forward => self.info.forward_kernel,
            Pass::Backward => self.info.backward_kernel,
        })
    }

    pub fn tile_positions(&self) -> u32 {
        self.info.tile_positions
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // SAFETY: handles of this runner or NULL, destroyed once, and no call is running.
        unsafe {
            dcn_plan_destroy(self.plan);
            dcn_context_destroy(self.context);
        }
    }
}

fn zeroed_info() -> dcn_plan_info {
    // SAFETY: integers and nullable pointers.
    let mut info = unsafe { MaybeUninit::<dcn_plan_info>::zeroed().assume_init() };
    info.struct_size = size_of::<dcn_plan_info>();
    info
}

fn static_text(text: *const c_char) -> &'static str {
    // SAFETY: the strings of a plan's info are static.
    unsafe { CStr::from_ptr(text) }.to_str().expect("the library writes UTF-8")
}

/// The release, target and profile of the library.
pub fn build_info() -> &'static str {
    static_text(dcn_build_info())
}

fn check(status: dcn_status) -> Result<(), String> {
    if status == DCN_OK {
        return Ok(());
    }
    let mut message = [0; 1000];
    // SAFETY: a buffer with its size.
    unsafe { dcn_last_error_message(message.as_mut_ptr(), message.len()) };
    let message = message.map(|byte| byte as u8);
    let message = CStr::from_bytes_until_nul(&message).map(CStr::to_string_lossy).unwrap_or_default();
    Err(format!("{}: {message}", static_text(dcn_status_string(status))))
}
