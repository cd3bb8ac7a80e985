//! A run with the caller's workspace asks no allocator for anything, neither the process's nor the context's.

mod allocations;

use deformconv::abi::*;
use deformconv::ffi::*;
use std::ffi::c_void;
use std::mem::{MaybeUninit, zeroed};
use std::ptr;

fn desc<const R: usize>(dims: [i64; R]) -> dcn_tensor_desc {
    let mut desc = dcn_tensor_desc { dtype: DCN_F32, rank: R as i32, ..Default::default() };
    desc.dims[..R].copy_from_slice(&dims);
    desc
}

/// [N, C, H, W] = [2, 8, 9, 11] to 6 channels, 3 x 3, padding 1; `groups` divide both.
fn problem(groups: i64, outputs: i64) -> dcn_problem {
    dcn_problem {
        struct_size: size_of::<dcn_problem>(),
        pad_top: 1,
        pad_left: 1,
        pad_bottom: 1,
        pad_right: 1,
        groups,
        x: desc([2, 8, 9, 11]),
        offset: desc([2, 18, 9, 11]),
        mask: desc([2, 9, 9, 11]),
        weight: desc([outputs, 8 / groups, 3, 3]),
        bias: desc([outputs]),
        ..Default::default()
    }
}

unsafe extern "C" fn refuse(_: *mut c_void, _: usize, _: usize) -> *mut c_void {
    ptr::null_mut()
}

unsafe extern "C" fn free_nothing(_: *mut c_void, _: *mut c_void, _: usize, _: usize) {}

/// What makes a plan.
type Create = unsafe extern "C" fn(*const dcn_context, *const dcn_problem, *mut *mut dcn_plan) -> dcn_status;

/// A plan of the implementation that images of any size have.
unsafe extern "C" fn direct(
    context: *const dcn_context,
    problem: *const dcn_problem,
    out: *mut *mut dcn_plan,
) -> dcn_status {
    // SAFETY: the caller's promise.
    unsafe { *out = Box::into_raw(dcn_plan::direct(context, problem).expect("a plan")) };
    DCN_OK
}

/// Runs both passes with and without packed weights on a context whose allocator always fails; the allocations made by
/// the runs alone.
fn allocations_of_runs(create: Create, problem: &dcn_problem) -> usize {
    // SAFETY: buffers have the sizes that the problem and the plan ask for.
    unsafe {
        let mut config: dcn_context_config = zeroed();
        config.struct_size = size_of::<dcn_context_config>();
        config.num_threads = 1;
        config.allocator.alloc = Some(refuse);
        config.allocator.free = Some(free_nothing);
        let (mut context, mut plan) = (ptr::null_mut(), ptr::null_mut());
        assert_eq!(dcn_context_create(&config, &mut context), DCN_OK);
        assert_eq!(create(context, problem, &mut plan), DCN_OK);
        let tensors = |len: usize| vec![0.25f32; len];
        let (x, offset, mask, weight, bias) =
            (tensors(1584), tensors(3564), tensors(1782), tensors(8 * 72), tensors(8));
        let (mut y, mut grad_x, mut grad_offset) = (tensors(1584), tensors(1584), tensors(3564));
        let (mut grad_mask, mut grad_weight, mut grad_bias) = (tensors(1782), tensors(8 * 72), tensors(8));
        let mut buffers = [DCN_PASS_FORWARD, DCN_PASS_BACKWARD].map(|pass| {
            let (mut workspace, mut packed) = (0, 0);
            assert_eq!(dcn_plan_workspace_size(plan, pass, &mut workspace), DCN_OK);
            assert_eq!(dcn_plan_packed_weight_size(plan, pass, &mut packed), DCN_OK);
            let mut packed = vec![0u8; packed];
            let mut args: dcn_pack_args = MaybeUninit::zeroed().assume_init();
            args.struct_size = size_of::<dcn_pack_args>();
            args.pass = pass;
            args.weight = weight.as_ptr().cast();
            args.packed = packed.as_mut_ptr().cast();
            args.packed_size = packed.len();
            assert_eq!(dcn_plan_pack_weight(plan, &args), DCN_OK);
            (vec![0u8; workspace], packed)
        });
        let mut forward: dcn_forward_args = zeroed();
        forward.struct_size = size_of::<dcn_forward_args>();
        (forward.x, forward.offset, forward.mask) = (x.as_ptr().cast(), offset.as_ptr().cast(), mask.as_ptr().cast());
        (forward.weight, forward.bias) = (weight.as_ptr().cast(), bias.as_ptr().cast());
        forward.y = y.as_mut_ptr().cast();
        (forward.workspace, forward.workspace_size) = (buffers[0].0.as_mut_ptr().cast(), buffers[0].0.len());
        let mut backward: dcn_backward_args = zeroed();
        backward.struct_size = size_of::<dcn_backward_args>();
        (backward.x, backward.offset, backward.mask) = (forward.x, forward.offset, forward.mask);
        (backward.weight, backward.grad_y) = (forward.weight, forward.y);
        (backward.grad_x, backward.grad_offset) = (grad_x.as_mut_ptr().cast(), grad_offset.as_mut_ptr().cast());
        (backward.grad_mask, backward.grad_weight) = (grad_mask.as_mut_ptr().cast(), grad_weight.as_mut_ptr().cast());
        backward.grad_bias = grad_bias.as_mut_ptr().cast();
        (backward.workspace, backward.workspace_size) = (buffers[1].0.as_mut_ptr().cast(), buffers[1].0.len());

        let before = allocations::of_this_thread();
        assert_eq!(dcn_plan_forward(plan, &forward), DCN_OK);
        assert_eq!(dcn_plan_backward(plan, &backward), DCN_OK);
        (forward.packed_weight, forward.packed_weight_size) = (buffers[0].1.as_ptr().cast(), buffers[0].1.len());
        (backward.packed_weight, backward.packed_weight_size) = (buffers[1].1.as_ptr().cast(), buffers[1].1.len());
        assert_eq!(dcn_plan_forward(plan, &forward), DCN_OK);
        assert_eq!(dcn_plan_backward(plan, &backward), DCN_OK);
        let count = allocations::of_this_thread() - before;
        dcn_plan_destroy(plan);
        dcn_context_destroy(context);
        count
    }
}

#[test]
fn one_group() {
    assert_eq!(allocations_of_runs(dcn_plan_create, &problem(1, 6)), 0);
}

#[test]
fn two_groups() {
    assert_eq!(allocations_of_runs(dcn_plan_create, &problem(2, 6)), 0);
}

#[test]
fn depthwise() {
    assert_eq!(allocations_of_runs(dcn_plan_create, &problem(8, 8)), 0);
}

#[test]
fn images_of_any_size() {
    assert_eq!(allocations_of_runs(direct, &problem(2, 6)), 0);
}
