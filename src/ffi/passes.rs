//! Running a plan, and the short way that makes one, runs it and drops it.

use super::context::dcn_context;
use super::guard::guard;
use super::plan::{borrow, create_for, dcn_plan};
use super::sized;
use crate::abi::*;

/// Computes y.
///
/// Errors: DCN_ERROR_NULL_POINTER, DCN_ERROR_STRUCT_SIZE, DCN_ERROR_INVALID_ARGUMENT, DCN_ERROR_MISALIGNED,
/// DCN_ERROR_OVERLAP, DCN_ERROR_UNSUPPORTED (the plan was not made for this pass), DCN_ERROR_WORKSPACE_TOO_SMALL;
/// nothing is written then. DCN_ERROR_OUT_OF_MEMORY (workspace NULL), DCN_ERROR_EXECUTOR, DCN_ERROR_BACKEND.
///
/// # Safety
///
/// `plan` must be NULL or a live handle, `args` NULL or a dcn_forward_args whose pointers are NULL or cover the tensors
/// that the plan's problem describes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dcn_plan_forward(plan: *const dcn_plan, args: *const dcn_forward_args) -> dcn_status {
    // SAFETY: the caller's promise.
    guard(|| unsafe { borrow(plan)?.forward(&sized::read(args, "args")?) })
}

/// Computes the gradients whose pointers are not NULL.
///
/// Errors: as dcn_plan_forward.
///
/// # Safety
///
/// `plan` must be NULL or a live handle, `args` NULL or a dcn_backward_args whose pointers are NULL or cover the
/// tensors that the plan's problem describes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dcn_plan_backward(plan: *const dcn_plan, args: *const dcn_backward_args) -> dcn_status {
    // SAFETY: the caller's promise.
    guard(|| unsafe { borrow(plan)?.backward(&sized::read(args, "args")?) })
}

/// dcn_plan_create, dcn_plan_forward and dcn_plan_destroy in one call, for scripts and single runs.
///
/// # Safety
///
/// As those three.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dcn_modulated_deform_conv2d(
    context: *const dcn_context,
    problem: *const dcn_problem,
    args: *const dcn_forward_args,
) -> dcn_status {
    // SAFETY: the caller's promise.
    guard(|| unsafe { create_for(DCN_PASS_FORWARD, context, problem)?.forward(&sized::read(args, "args")?) })
}

/// dcn_plan_create, dcn_plan_backward and dcn_plan_destroy in one call, for scripts and single runs.
///
/// # Safety
///
/// As those three.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dcn_modulated_deform_conv2d_backward(
    context: *const dcn_context,
    problem: *const dcn_problem,
    args: *const dcn_backward_args,
) -> dcn_status {
    // SAFETY: the caller's promise.
    guard(|| unsafe { create_for(DCN_PASS_BACKWARD, context, problem)?.backward(&sized::read(args, "args")?) })
}
