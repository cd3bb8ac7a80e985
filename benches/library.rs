//! The library as a C host uses it: one context and plan a row, weights packed and workspace given beforehand.

use crate::cases::Case;
use crate::kinds::{Dtype, Layout};
use crate::operands::{Buffer, Operands};
use deformconv::abi::*;
use deformconv::ffi::*;
use std::ffi::{CStr, CString, c_char};
use std::mem::{MaybeUninit, size_of};
use std::ptr;

/// A plan that is ready to run, and everything that it runs on but the inputs.
pub struct Runner {
    context: *mut dcn_context,
    plan: *mut dcn_plan,
    pub info: dcn_plan_info,
    packed: Buffer,
    workspace: Buffer,
    y: Buffer,
}

/// What distinguishes the runners of one case and type.
#[derive(Clone, Debug)]
pub struct Setting {
    pub layout: Layout,
    pub threads: usize,
    /// The highest instruction set allowed; none = the library's choice.
    pub max_isa: Option<String>,
}

impl Runner {
    /// Fails with the library's status and message, for example where it does not support the case.
    pub fn new(case: &Case, dtype: Dtype, setting: &Setting, operands: &Operands) -> Result<Self, String> {
        let mut runner = Self {
            context: ptr::null_mut(),
            plan: ptr::null_mut(),
            info: zeroed_info(),
            packed: Buffer::new(0),
            workspace: Buffer::new(0),
            y: Operands::y(case, dtype),
        };
        let max_isa = setting.max_isa.as_deref().map(|isa| CString::new(isa).expect("no NUL in an argument"));
        let problem = describe(case, dtype, setting.layout);
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
        check(unsafe { size(self.plan, DCN_PASS_FORWARD, &mut bytes) })?;
        Ok(Buffer::new(bytes))
    }

    fn pack(&mut self, operands: &Operands) -> Result<(), String> {
        self.packed = self.buffer(dcn_plan_packed_weight_size)?;
        let args = dcn_pack_args {
            struct_size: size_of::<dcn_pack_args>(),
            pass: DCN_PASS_FORWARD,
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

    /// One forward pass.
    pub fn forward(&mut self, operands: &Operands) -> Result<(), String> {
        let args = dcn_forward_args {
            struct_size: size_of::<dcn_forward_args>(),
            x: operands.x.as_ptr(),
            offset: operands.offset.as_ptr(),
            mask: operands.mask.as_ptr(),
            weight: ptr::null(),
            packed_weight: self.packed.as_ptr(),
            packed_weight_size: self.packed.bytes,
            bias: operands.bias.as_ptr(),
            y: self.y.as_mut_ptr(),
            workspace: self.workspace.as_mut_ptr(),
            workspace_size: self.workspace.bytes,
            stream: ptr::null_mut(),
        };
        // SAFETY: the buffers have the sizes that the problem and the plan ask for.
        check(unsafe { dcn_plan_forward(self.plan, &args) })
    }

    pub fn isa(&self) -> &'static str {
        static_text(self.info.isa)
    }

    pub fn forward_kernel(&self) -> &'static str {
        static_text(self.info.forward_kernel)
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

fn describe(case: &Case, dtype: Dtype, layout: Layout) -> dcn_problem {
    let dense = |dims: &[i64]| tensor(dtype, dims);
    let image = |dims: [i64; 4]| match layout {
        Layout::Nchw => dense(&dims),
        Layout::Nhwc => channels_last(dtype, dims),
    };
    dcn_problem {
        struct_size: size_of::<dcn_problem>(),
        backend: DCN_BACKEND_CPU,
        passes: 1 << DCN_PASS_FORWARD,
        stride_h: case.stride[0],
        stride_w: case.stride[1],
        pad_top: case.padding[0],
        pad_left: case.padding[1],
        pad_bottom: case.padding[0],
        pad_right: case.padding[1],
        dilation_h: case.dilation[0],
        dilation_w: case.dilation[1],
        groups: case.groups,
        deformable_groups: case.deformable_groups,
        x: image(case.x),
        offset: dense(&case.offset()),
        mask: dense(&case.mask()),
        weight: dense(&case.weight()),
        bias: dense(&[case.out_channels]),
        y: image(case.y()),
        ..Default::default()
    }
}

fn tensor(dtype: Dtype, dims: &[i64]) -> dcn_tensor_desc {
    let mut desc = dcn_tensor_desc { dtype: dtype.code(), rank: dims.len() as i32, ..Default::default() };
    desc.dims[..dims.len()].copy_from_slice(dims);
    desc
}

fn channels_last(dtype: Dtype, dims: [i64; 4]) -> dcn_tensor_desc {
    let [_, c, h, w] = dims;
    let mut desc = tensor(dtype, &dims);
    desc.layout = DCN_LAYOUT_STRIDED;
    desc.strides[..4].copy_from_slice(&[h * w * c, 1, w * c, c]);
    desc
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
