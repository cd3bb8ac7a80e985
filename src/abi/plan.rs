//! `dcn_plan_info` and the argument structs of a plan's calls.

use super::kinds::dcn_pass;
use std::ffi::{c_char, c_void};

/// What a plan decided. Strings are static and valid for ever.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct dcn_plan_info {
    /// sizeof(dcn_plan_info), set by the caller.
    pub struct_size: usize,
    /// Instruction set of the kernels: "scalar", "avx2", "avx512", "neon" or "ascend".
    pub isa: *const c_char,
    /// Name of the forward kernels; "" if the plan cannot run forward.
    pub forward_kernel: *const c_char,
    /// Name of the backward kernels; "" if the plan cannot run backward.
    pub backward_kernel: *const c_char,
    /// Floating-point operations of one forward run that any implementation needs: 2*N*O*Ho*Wo*(C/G)*K.
    pub forward_flops: u64,
    /// The same for one backward run with all gradients: twice the number above, once for the column gradient and once
    /// for grad_weight.
    pub backward_flops: u64,
    /// Identifies the packed weight layout, indexed by dcn_pass; packed weights serve every plan with an equal value.
    pub packed_layout: [u64; 2],
    /// Output positions computed together; 0 where the kernel has no tile.
    pub tile_positions: u32,
    /// Most tasks that one run hands to the executor or pool at a time.
    pub max_tasks: u32,
}

/// Arguments of `dcn_plan_pack_weight`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct dcn_pack_args {
    /// sizeof(dcn_pack_args).
    pub struct_size: usize,
    /// The pass the packed weights are for.
    pub pass: dcn_pass,
    /// Must be 0.
    pub reserved0: u32,
    /// In: the weights, as the problem describes them.
    pub weight: *const c_void,
    /// Out: packed weights.
    pub packed: *mut c_void,
    /// Bytes at `packed`, at least dcn_plan_packed_weight_size.
    pub packed_size: usize,
    /// Not used; may be NULL.
    pub workspace: *mut c_void,
    /// Bytes at `workspace`.
    pub workspace_size: usize,
    /// CPU: must be NULL. Ascend: the stream that the work is put on; NULL is the device's default one.
    pub stream: *mut c_void,
}

/// Arguments of `dcn_plan_forward`. Pointers of absent tensors must be NULL.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct dcn_forward_args {
    /// sizeof(dcn_forward_args).
    pub struct_size: usize,
    /// In: [N, C, H, W].
    pub x: *const c_void,
    /// In: [N, 2*D*K, Ho, Wo].
    pub offset: *const c_void,
    /// In: [N, D*K, Ho, Wo].
    pub mask: *const c_void,
    /// In: [O, C/G, kh, kw]. Not read, and may be NULL, with packed weights.
    pub weight: *const c_void,
    /// In: what dcn_plan_pack_weight wrote for DCN_PASS_FORWARD, or NULL.
    pub packed_weight: *const c_void,
    /// Bytes at `packed_weight`.
    pub packed_weight_size: usize,
    /// In: [O].
    pub bias: *const c_void,
    /// Out: [N, O, Ho, Wo].
    pub y: *mut c_void,
    /// CPU: scratch of any alignment, or NULL: taken from the context's allocator for this run. Ascend: device memory
    /// at a multiple of 512 bytes, in use until the stream has passed.
    pub workspace: *mut c_void,
    /// Bytes at `workspace`, at least dcn_plan_workspace_size.
    pub workspace_size: usize,
    /// CPU: must be NULL. Ascend: the stream that the work is put on; NULL is the device's default one.
    pub stream: *mut c_void,
}

/// Arguments of `dcn_plan_backward`. Pointers of absent tensors must be NULL; a gradient whose pointer is NULL is not
/// computed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct dcn_backward_args {
    /// sizeof(dcn_backward_args).
    pub struct_size: usize,
    /// In: [N, C, H, W].
    pub x: *const c_void,
    /// In: [N, 2*D*K, Ho, Wo].
    pub offset: *const c_void,
    /// In: [N, D*K, Ho, Wo].
    pub mask: *const c_void,
    /// In: [O, C/G, kh, kw]. Not read, and may be NULL, with packed weights.
    pub weight: *const c_void,
    /// In: what dcn_plan_pack_weight wrote for DCN_PASS_BACKWARD, or NULL.
    pub packed_weight: *const c_void,
    /// Bytes at `packed_weight`.
    pub packed_weight_size: usize,
    /// In: [N, O, Ho, Wo].
    pub grad_y: *const c_void,
    /// Out: as x.
    pub grad_x: *mut c_void,
    /// Out: as offset.
    pub grad_offset: *mut c_void,
    /// Out: as mask.
    pub grad_mask: *mut c_void,
    /// Out: as weight.
    pub grad_weight: *mut c_void,
    /// Out: [O]. May be asked for where bias is absent, too.
    pub grad_bias: *mut c_void,
    /// Gradients to add to what is there, instead of overwriting it: DCN_GRAD_... bits. Those of gradients that are
    /// not computed do nothing.
    pub accumulate: u32,
    /// Must be 0.
    pub reserved0: u32,
    /// CPU: scratch of any alignment, or NULL: taken from the context's allocator for this run. Ascend: device memory
    /// at a multiple of 512 bytes, in use until the stream has passed.
    pub workspace: *mut c_void,
    /// Bytes at `workspace`, at least dcn_plan_workspace_size.
    pub workspace_size: usize,
    /// CPU: must be NULL. Ascend: the stream that the work is put on; NULL is the device's default one.
    pub stream: *mut c_void,
}
