//! Runs a case through the C functions.

use crate::case::{Case, Values};
use deformconv::abi::*;
use deformconv::context::Isa;
use deformconv::ffi::*;
use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::ptr;

pub const GRADIENTS: [&str; 5] = ["grad_x", "grad_offset", "grad_mask", "grad_weight", "grad_bias"];

/// A call that did not return DCN_OK.
pub struct Refusal {
    pub status: dcn_status,
    pub message: String,
}

type Results = BTreeMap<&'static str, Values>;

pub fn forward(case: &Case, isa: Isa) -> Result<Results, Refusal> {
    let mut results = outputs(case, &["y"]);
    let args = dcn_forward_args {
        struct_size: size_of::<dcn_forward_args>(),
        x: case.pointer("x"),
        offset: case.pointer("offset"),
        mask: case.pointer("mask"),
        weight: case.pointer("weight"),
        packed_weight: ptr::null(),
        packed_weight_size: 0,
        bias: case.pointer("bias"),
        y: output(&mut results, "y"),
        workspace: ptr::null_mut(),
        workspace_size: 0,
        stream: ptr::null_mut(),
    };
    // SAFETY: the pointers cover the tensors that the case's problem describes.
    with_plan(case, DCN_PASS_FORWARD, isa, |plan| unsafe { dcn_plan_forward(plan, &args) })?;
    Ok(results)
}

pub fn backward(case: &Case, isa: Isa) -> Result<Results, Refusal> {
    let mut results = outputs(case, &GRADIENTS);
    let args = dcn_backward_args {
        struct_size: size_of::<dcn_backward_args>(),
        x: case.pointer("x"),
        offset: case.pointer("offset"),
        mask: case.pointer("mask"),
        weight: case.pointer("weight"),
        packed_weight: ptr::null(),
        packed_weight_size: 0,
        grad_y: case.pointer("grad_y"),
        grad_x: output(&mut results, "grad_x"),
        grad_offset: output(&mut results, "grad_offset"),
        grad_mask: output(&mut results, "grad_mask"),
        grad_weight: output(&mut results, "grad_weight"),
        grad_bias: output(&mut results, "grad_bias"),
        accumulate: 0,
        reserved0: 0,
        workspace: ptr::null_mut(),
        workspace_size: 0,
        stream: ptr::null_mut(),
    };
    // SAFETY: as above.
    with_plan(case, DCN_PASS_BACKWARD, isa, |plan| unsafe { dcn_plan_backward(plan, &args) })?;
    Ok(results)
}

/// Room for those of the named results that the case has.
fn outputs(case: &Case, names: &[&'static str]) -> Results {
    let dtype = case.tensor("x").values.dtype();
    let present = names.iter().filter_map(|&name| Some((name, case.get(name)?)));
    present.map(|(name, expected)| (name, Values::unwritten(dtype, expected.values.len()))).collect()
}

fn output(results: &mut Results, name: &str) -> *mut std::ffi::c_void {
    results.get_mut(name).map_or(ptr::null_mut(), Values::pointer_mut)
}

/// Makes a context and a plan, runs, and destroys both whatever happened.
fn with_plan(
    case: &Case,
    pass: dcn_pass,
    isa: Isa,
    run: impl FnOnce(*const dcn_plan) -> dcn_status,
) -> Result<(), Refusal> {
    // SAFETY: zero is the default of every field.
    let mut config: dcn_context_config = unsafe { MaybeUninit::zeroed().assume_init() };
    config.struct_size = size_of::<dcn_context_config>();
    config.max_isa = isa.name().as_ptr();
    let (mut context, mut plan) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: every pointer is to a live local, and handles are destroyed once, the plan first.
    unsafe {
        let mut outcome = check(dcn_context_create(&config, &mut context));
        outcome = outcome.and_then(|()| check(dcn_plan_create(context, &case.problem(pass), &mut plan)));
        outcome = outcome.and_then(|()| check(run(plan)));
        dcn_plan_destroy(plan);
        dcn_context_destroy(context);
        outcome
    }
}

fn check(status: dcn_status) -> Result<(), Refusal> {
    if status == DCN_OK {
        return Ok(());
    }
    let mut text = [0u8; 512];
    // SAFETY: the buffer has the length that is given.
    let len = unsafe { dcn_last_error_message(text.as_mut_ptr().cast(), text.len()) };
    let message = String::from_utf8_lossy(&text[..len.min(text.len() - 1)]).into_owned();
    Err(Refusal { status, message })
}
