//! What is refused on a device that the CPU takes, or takes otherwise.

use super::device::{Buffer, Stream};
use super::fake::Fake;
use super::run::{Backward, Forward, Plan};
use crate::common::case::{Case, Layouts};
use crate::common::dtype::Dtype;
use crate::common::layout::Layout;
use crate::common::problem::Problem;
use crate::common::runner::all_gradients;
use deformconv::abi::*;
use deformconv::ffi::*;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr;

#[test]
fn problems_the_device_does_not_take() {
    let fake = Fake::take();
    let refusal = |case: Case| Plan::new(&Problem::new(&case).descriptor, 0).err().expect("a refusal");
    let f64 = refusal(Case::default().of(Dtype::F64));
    assert_eq!((f64.call, f64.status), ("dcn_plan_create", DCN_ERROR_UNSUPPORTED));
    assert_eq!(f64.message, "x.dtype is f64, expected f32, f16 or bf16 on DCN_BACKEND_ASCEND");
    let offset = Layouts { offset: Layout::channels_last(), ..Layouts::default() };
    let strided = refusal(Case { layouts: offset, ..Case::default() });
    assert_eq!(strided.status, DCN_ERROR_UNSUPPORTED);
    assert!(strided.message.starts_with("offset.strides is [1134, 1, 162, 18]"), "{}", strided.message);
    // SAFETY: a plain call.
    assert_eq!(unsafe { (fake.functions.fake_calls)() }, 0, "CANN was asked for a problem it does not matter to");
    fake.assert_clean();
}

#[test]
fn arguments_the_device_does_not_take() {
    let fake = Fake::take();
    let (stream, problem) = (Stream::new(&fake), Problem::new(&Case::default()));
    let (plan, gradients) = (Plan::new(&problem.descriptor, 0).unwrap(), problem.gradients());
    let run = Forward::new(&plan, &stream, &problem);
    let spare = Buffer::new(&fake, run.workspace.size + 512);
    let args = dcn_forward_args { workspace: spare.address, workspace_size: spare.size, ..run.args() };
    let refused = |args: dcn_forward_args| {
        let refusal = plan.forward(&args).unwrap_err();
        (refusal.status, refusal.message)
    };
    let size = run.workspace.size;
    let missing = refused(dcn_forward_args { workspace: ptr::null_mut(), ..args });
    let message = format!("args->workspace is NULL, expected {size} bytes of device memory");
    assert_eq!(missing, (DCN_ERROR_NULL_POINTER, message));
    let odd = args.workspace.wrapping_byte_add(64);
    let message = format!("args->workspace is {odd:p}, expected a multiple of 512 bytes in device memory");
    assert_eq!(refused(dcn_forward_args { workspace: odd, ..args }), (DCN_ERROR_MISALIGNED, message));
    let small = refused(dcn_forward_args { workspace_size: size - 1, ..args });
    let message = format!("args->workspace_size is {}, expected at least {size}", size - 1);
    assert_eq!(small, (DCN_ERROR_WORKSPACE_TOO_SMALL, message));
    let packed = Buffer::new(&fake, plan.packed_size(DCN_PASS_FORWARD) + 4);
    let odd = packed.address.wrapping_byte_add(2);
    let odd = dcn_forward_args { packed_weight: odd, packed_weight_size: packed.size, ..args };
    assert_eq!(refused(odd).0, DCN_ERROR_MISALIGNED);
    let overlap = refused(dcn_forward_args { workspace: args.y, ..args });
    assert_eq!(overlap.0, DCN_ERROR_OVERLAP);

    let backward = Backward::new(&plan, &stream, (&problem, &gradients), (all_gradients(&problem), 0));
    let args = dcn_backward_args { workspace: ptr::null_mut(), ..backward.args() };
    assert_eq!(plan.backward(&args).unwrap_err().status, DCN_ERROR_NULL_POINTER);
    // Nothing was put on the stream.
    // SAFETY: a plain call.
    assert_eq!(unsafe { (fake.functions.fake_pending)() }, 0);
    drop((run, backward, spare, packed, stream));
    fake.assert_clean();
}

#[test]
fn a_stream_of_another_device_is_an_error_of_cann() {
    let fake = Fake::take();
    let problem = Problem::new(&Case::default());
    let plan = Plan::new(&problem.descriptor, 0).unwrap();
    let stream = Stream::new(&fake);
    let run = Forward::new(&plan, &stream, &problem);
    // SAFETY: plain calls.
    let foreign = unsafe {
        assert_eq!((fake.functions.aclrtSetDevice)(1), 0);
        let foreign = Stream::new(&fake);
        assert_eq!((fake.functions.aclrtSetDevice)(0), 0);
        foreign
    };
    let refusal = plan.forward(&dcn_forward_args { stream: foreign.handle, ..run.args() }).unwrap_err();
    assert_eq!(refusal.status, DCN_ERROR_BACKEND);
    let message = "aclrtLaunchKernelWithConfig returned 100000: EE1001: aclrtLaunchKernelWithConfig: \
                   the stream is one of device 1, current is 0";
    assert_eq!(refusal.message, message);
}

#[test]
fn a_plan_tells_what_it_is_for() {
    let fake = Fake::take();
    let plan = Plan::new(&Problem::new(&Case::default()).descriptor, 0).unwrap();
    // SAFETY: zero is a value of every field; the plan is alive; its strings are static.
    unsafe {
        let mut info: dcn_plan_info = MaybeUninit::zeroed().assume_init();
        info.struct_size = size_of::<dcn_plan_info>();
        assert_eq!(dcn_plan_get_info(plan.handle, &mut info), DCN_OK);
        assert_eq!(CStr::from_ptr(info.isa), c"ascend");
        assert_eq!((CStr::from_ptr(info.forward_kernel), CStr::from_ptr(info.backward_kernel)), (c"ascend", c"ascend"));
        assert_eq!(info.packed_layout[0], info.packed_layout[1]);
    }
    drop(fake);
}
