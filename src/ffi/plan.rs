//! Plans: creation, queries, weight packing.

use super::context::{dcn_context, resolve};
use super::guard::guard;
use super::sized;
use crate::abi::*;
use crate::error::{Error, Result, require};
use crate::plan::Plan;
use std::ptr;

/// A checked problem and how it will be computed. Immutable: one plan may run on many threads at once.
pub struct dcn_plan(Plan);

impl dcn_plan {
    /// A plan that takes the direct implementations. Not part of the C interface, through which only images reach them
    /// that are too large to be filled.
    ///
    /// # Safety
    ///
    /// As dcn_plan_create.
    #[doc(hidden)]
    pub unsafe fn direct(context: *const dcn_context, problem: *const dcn_problem) -> Result<Box<Self>> {
        // SAFETY: the caller's promise.
        unsafe { Ok(Box::new(Self(Plan::direct(resolve(context)?, &sized::read(problem, "problem")?)?))) }
    }
}

/// The plan behind a handle.
///
/// # Safety
///
/// `plan` must be NULL or a live handle.
pub(super) unsafe fn borrow<'a>(plan: *const dcn_plan) -> Result<&'a Plan> {
    // SAFETY: the caller's promise; plans are never borrowed mutably.
    unsafe { plan.as_ref() }.map(|plan| &plan.0).ok_or_else(|| Error::null("plan", "a dcn_plan"))
}

/// Writes the descriptor of y that the other fields of `problem` imply, contiguous.
///
/// Errors: as dcn_plan_create, for what the shape of y depends on; DCN_ERROR_NULL_POINTER.
///
/// # Safety
///
/// `problem` must be NULL or point to a dcn_problem; `y` must be NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dcn_output_shape(problem: *const dcn_problem, y: *mut dcn_tensor_desc) -> dcn_status {
    guard(|| {
        require(!y.is_null(), || Error::null("y", "where to store the descriptor"))?;
        // SAFETY: the caller's promise.
        let problem = unsafe { sized::read(problem, "problem")? };
        let shape = crate::problem::output_shape(&problem)?;
        // SAFETY: the caller's promise.
        unsafe { y.write_unaligned(shape) };
        Ok(())
    })
}

/// Checks a problem and decides how to compute it. `context` may be NULL for the process-wide default one.
///
/// Errors: DCN_ERROR_NULL_POINTER, DCN_ERROR_STRUCT_SIZE, DCN_ERROR_INVALID_ARGUMENT, DCN_ERROR_INVALID_SHAPE,
/// DCN_ERROR_INVALID_STRIDE, DCN_ERROR_UNSUPPORTED, DCN_ERROR_BACKEND_UNAVAILABLE, DCN_ERROR_OUT_OF_MEMORY. `*out` is
/// NULL after an error.
///
/// # Safety
///
/// `context` must be NULL or a live handle, `problem` NULL or a dcn_problem, `out` NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dcn_plan_create(
    context: *const dcn_context,
    problem: *const dcn_problem,
    out: *mut *mut dcn_plan,
) -> dcn_status {
    guard(|| {
        require(!out.is_null(), || Error::null("out", "where to store the plan"))?;
        // SAFETY: the caller's promise.
        unsafe { out.write_unaligned(ptr::null_mut()) };
        // SAFETY: the caller's promise.
        let plan = unsafe { Plan::new(resolve(context)?, &sized::read(problem, "problem")?)? };
        let handle = Box::into_raw(Box::new(dcn_plan(plan)));
        // SAFETY: the caller's promise.
        unsafe { out.write_unaligned(handle) };
        Ok(())
    })
}

/// A plan for one pass alone, if the problem does not rule it out.
///
/// # Safety
///
/// As dcn_plan_create.
pub(super) unsafe fn create_for(
    pass: dcn_pass,
    context: *const dcn_context,
    problem: *const dcn_problem,
) -> Result<Plan> {
    // SAFETY: the caller's promise.
    let (mut problem, context) = unsafe { (sized::read(problem, "problem")?, resolve(context)?) };
    if problem.passes == 0 {
        problem.passes = 1 << pass;
    }
    Plan::new(context, &problem)
}

/// Destroys a plan. NULL does nothing. Not to be called from a task or a callback, nor while the plan runs.
///
/// # Safety
///
/// `plan` must be NULL or a handle from dcn_plan_create that was not destroyed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dcn_plan_destroy(plan: *mut dcn_plan) {
    if !plan.is_null() {
        guard(|| {
            // SAFETY: the handle came from Box::into_raw and is given up here.
            drop(unsafe { Box::from_raw(plan) });
            Ok(())
        });
    }
}

/// Tells what a plan decided; the caller sets `out->struct_size`.
///
/// Errors: DCN_ERROR_NULL_POINTER, DCN_ERROR_STRUCT_SIZE.
///
/// # Safety
///
/// `plan` must be NULL or a live handle; `out` NULL or a dcn_plan_info.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dcn_plan_get_info(plan: *const dcn_plan, out: *mut dcn_plan_info) -> dcn_status {
    // SAFETY: the caller's promise.
    guard(|| unsafe { sized::write(&borrow(plan)?.info(), out, "out") })
}

/// Bytes of workspace that one run of a pass needs, with packed weights or without; 0 if none.
///
/// Errors: DCN_ERROR_NULL_POINTER, DCN_ERROR_INVALID_ARGUMENT (unknown pass), DCN_ERROR_UNSUPPORTED (a pass the plan
/// was not made for).
///
/// # Safety
///
/// `plan` must be NULL or a live handle; `bytes` NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dcn_plan_workspace_size(
    plan: *const dcn_plan,
    pass: dcn_pass,
    bytes: *mut usize,
) -> dcn_status {
    // SAFETY: the caller's promise.
    guard(|| unsafe { store(borrow(plan)?.workspace_size(pass), bytes) })
}

/// Bytes that dcn_plan_pack_weight writes for a pass.
///
/// Errors: as dcn_plan_workspace_size.
///
/// # Safety
///
/// `plan` must be NULL or a live handle; `bytes` NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dcn_plan_packed_weight_size(
    plan: *const dcn_plan,
    pass: dcn_pass,
    bytes: *mut usize,
) -> dcn_status {
    // SAFETY: the caller's promise.
    guard(|| unsafe { store(borrow(plan)?.packed_weight_size(pass), bytes) })
}

/// # Safety
///
/// `to` must be NULL or writable.
unsafe fn store(bytes: Result<usize>, to: *mut usize) -> Result<()> {
    require(!to.is_null(), || Error::null("bytes", "where to store the size"))?;
    // SAFETY: not NULL, and the caller's promise.
    unsafe { to.write_unaligned(bytes?) };
    Ok(())
}

/// Rearranges the weights for a pass once, so that runs need not. Packed weights are plain bytes, of any alignment,
/// that may be copied; they serve every plan of the same build with an equal `packed_layout`. They are not a file
/// format. On Ascend they are aligned to 4 bytes and have no header, as a run cannot look at device memory.
///
/// Errors: DCN_ERROR_NULL_POINTER, DCN_ERROR_STRUCT_SIZE, DCN_ERROR_INVALID_ARGUMENT, DCN_ERROR_UNSUPPORTED,
/// DCN_ERROR_MISALIGNED, DCN_ERROR_OVERLAP, DCN_ERROR_WORKSPACE_TOO_SMALL (`packed_size`).
///
/// # Safety
///
/// `plan` must be NULL or a live handle, `args` NULL or a dcn_pack_args whose pointers are what its fields say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dcn_plan_pack_weight(plan: *const dcn_plan, args: *const dcn_pack_args) -> dcn_status {
    // SAFETY: the caller's promise.
    guard(|| unsafe { borrow(plan)?.pack_weight(&sized::read(args, "args")?) })
}
