//! Golden cases on the device.

use super::device::{Buffer, Stream};
use super::fake::Fake;
use super::run::Plan;
use crate::case::{Case, Values};
use crate::terms::{Terms, terms};
use deformconv::abi::*;
use std::ffi::c_void;
use std::ptr;

/// The device has no f64.
pub fn is_for_device(case: &Case) -> bool {
    matches!(case.tensor("x").values, Values::F32(_))
}

/// The tensors of a case in device memory.
struct Tensors<'f> {
    stream: Stream<'f>,
    inputs: Vec<(&'static str, Buffer<'f>)>,
    outputs: Vec<(&'static str, Buffer<'f>)>,
}

impl<'f> Tensors<'f> {
    fn new(fake: &'f Fake, case: &Case, inputs: &[&'static str], outputs: &[&'static str]) -> Self {
        let stream = Stream::new(fake);
        let of = |name: &str| case.get(name).map(|tensor| bytes(&tensor.values));
        let upload = |&name: &&'static str| Some((name, stream.upload(&of(name)?)));
        let inputs = inputs.iter().filter_map(upload).collect();
        let allocate = |&name: &&'static str| Some((name, Buffer::new(fake, of(name)?.len())));
        let outputs = outputs.iter().filter_map(allocate).collect();
        Self { stream, inputs, outputs }
    }

    fn at(&self, name: &str) -> *mut c_void {
        let found = self.inputs.iter().chain(&self.outputs).find(|(of, _)| *of == name);
        found.map_or(ptr::null_mut(), |(_, buffer)| buffer.address)
    }

    fn compare(&self, case: &Case) -> Result<(), String> {
        let terms = terms(case);
        for (name, buffer) in &self.outputs {
            let mut got = vec![0; buffer.size];
            self.stream.download(buffer, &mut got);
            difference(&got, &case.tensor(name).values, &terms[name]).map_err(|what| format!("{name}{what}"))?;
        }
        Ok(())
    }
}

/// y and, where the case has them, the gradients.
pub fn compare(fake: &Fake, case: &Case) -> Result<(), String> {
    let inputs = ["x", "offset", "mask", "weight", "bias"];
    let t = Tensors::new(fake, case, &inputs, &["y"]);
    let plan = Plan::new(&case.problem(DCN_PASS_FORWARD), 0).map_err(|refusal| format!("{refusal:?}"))?;
    let workspace = Buffer::new(fake, plan.workspace_size(DCN_PASS_FORWARD));
    let args = dcn_forward_args {
        struct_size: size_of::<dcn_forward_args>(),
        x: t.at("x"),
        offset: t.at("offset"),
        mask: t.at("mask"),
        weight: t.at("weight"),
        packed_weight: ptr::null(),
        packed_weight_size: 0,
        bias: t.at("bias"),
        y: t.at("y"),
        workspace: workspace.address,
        workspace_size: workspace.size,
        stream: t.stream.handle,
    };
    plan.forward(&args).map_err(|refusal| format!("{refusal:?}"))?;
    t.compare(case)?;
    if case.get("grad_y").is_some() { compare_gradients(fake, case) } else { Ok(()) }
}

fn compare_gradients(fake: &Fake, case: &Case) -> Result<(), String> {
    let inputs = ["x", "offset", "mask", "weight", "grad_y"];
    let outputs = ["grad_x", "grad_offset", "grad_mask", "grad_weight", "grad_bias"];
    let t = Tensors::new(fake, case, &inputs, &outputs);
    let plan = Plan::new(&case.problem(DCN_PASS_BACKWARD), 0).map_err(|refusal| format!("{refusal:?}"))?;
    let workspace = Buffer::new(fake, plan.workspace_size(DCN_PASS_BACKWARD));
    let args = dcn_backward_args {
        struct_size: size_of::<dcn_backward_args>(),
        x: t.at("x"),
        offset: t.at("offset"),
        mask: t.at("mask"),
        weight: t.at("weight"),
        packed_weight: ptr::null(),
        packed_weight_size: 0,
        grad_y: t.at("grad_y"),
        grad_x: t.at("grad_x"),
        grad_offset: t.at("grad_offset"),
        grad_mask: t.at("grad_mask"),
        grad_weight: t.at("grad_weight"),
        grad_bias: t.at("grad_bias"),
        accumulate: 0,
        reserved0: 0,
        workspace: workspace.address,
        workspace_size: workspace.size,
        stream: t.stream.handle,
    };
    plan.backward(&args).map_err(|refusal| format!("{refusal:?}"))?;
    t.compare(case)
}

fn bytes(values: &Values) -> Vec<u8> {
    values.to_f64().iter().flat_map(|&value| (value as f32).to_ne_bytes()).collect()
}

/// The first element beyond the contract's error bound.
fn difference(got: &[u8], expected: &Values, terms: &Terms) -> Result<(), String> {
    let (got, _) = got.as_chunks();
    let expected = expected.to_f64();
    assert_eq!(got.len(), expected.len());
    for (i, (got, expected)) in got.iter().map(|bytes| f64::from(f32::from_ne_bytes(*bytes))).zip(expected).enumerate()
    {
        let bound = f64::from(f32::EPSILON) * (8.0 + 2.0 * terms.count[i].sqrt()) * terms.magnitude[i];
        let within = (got - expected).abs() <= bound;
        if !within {
            return Err(format!("[{i}] is {got:e}, expected {expected:e} within {bound:e}"));
        }
    }
    Ok(())
}
