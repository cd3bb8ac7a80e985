//! What a call costs beside its kernels: runs that have next to nothing to compute, through the C functions, with
//! packed weights and the caller's workspace. Every size is 1 (`least`), or the batch is empty (`empty`).

use deformconv::abi::*;
use deformconv::ffi::*;
use std::ffi::{c_char, c_void};
use std::mem::zeroed;
use std::ptr;
use std::time::Instant;

/// Calls between two looks at the clock, which takes some 20 ns itself.
const CALLS: u32 = 1000;
/// Such batches of each row; the rows take turns.
const BATCHES: usize = 300;

fn main() {
    let silent = Host { threads: 1, logs: false };
    let hosts = [
        ("one thread", silent),
        ("all threads", Host { threads: 0, ..silent }),
        ("one thread, each run logged", Host { logs: true, ..silent }),
    ];
    let mut rows = Vec::new();
    for (name, host) in hosts {
        for (batch, problem) in [(1, "least"), (0, "empty")] {
            rows.push((name, problem, "forward", Call::new(host, batch, DCN_PASS_FORWARD), Vec::new()));
            rows.push((name, problem, "backward", Call::new(host, batch, DCN_PASS_BACKWARD), Vec::new()));
        }
    }
    for batch in 0..=BATCHES {
        for (_, _, _, call, nanoseconds) in &mut rows {
            let start = Instant::now();
            (0..CALLS).for_each(|_| call.run());
            if batch > 0 {
                nanoseconds.push(start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS));
            }
        }
    }
    println!("{:<28} {:<8} {:<9} {:>10} {:>10}", "context", "problem", "pass", "min ns", "median ns");
    for (name, problem, pass, _, mut nanoseconds) in rows {
        nanoseconds.sort_by(f64::total_cmp);
        println!("{name:<28} {problem:<8} {pass:<9} {:>10.0} {:>10.0}", nanoseconds[0], nanoseconds[BATCHES / 2]);
    }
}

/// How the context is configured.
#[derive(Clone, Copy)]
struct Host {
    threads: i32,
    /// Each run is formatted as a line and given to a logger that drops it.
    logs: bool,
}

unsafe extern "C" fn drop_line(_: *mut c_void, _: i32, _: *const c_char) {}

/// A plan and everything that its runs need.
struct Call {
    context: *mut dcn_context,
    plan: *mut dcn_plan,
    pass: dcn_pass,
    /// x, offset, mask, bias and the gradient of y; none has more than two elements.
    input: Box<[f32; 2]>,
    /// y, or the gradients of x, offset, mask, weight and bias.
    outputs: Box<[[f32; 2]; 5]>,
    packed: Vec<u8>,
    workspace: Vec<u8>,
}

impl Call {
    fn new(host: Host, batch: i64, pass: dcn_pass) -> Self {
        // SAFETY: zero is every field's default; all pointers are to live objects.
        unsafe {
            let mut config: dcn_context_config = zeroed();
            config.struct_size = size_of::<dcn_context_config>();
            config.num_threads = host.threads;
            config.logger.log = host.logs.then_some(drop_line);
            let (mut context, mut plan) = (ptr::null_mut(), ptr::null_mut());
            assert_eq!(dcn_context_create(&config, &mut context), DCN_OK);
            assert_eq!(dcn_plan_create(context, &problem(batch, pass), &mut plan), DCN_OK);
            let bytes = |query: unsafe extern "C" fn(*const dcn_plan, dcn_pass, *mut usize) -> dcn_status| {
                let mut bytes = 0;
                assert_eq!(query(plan, pass, &mut bytes), DCN_OK);
                vec![0; bytes]
            };
            let (mut packed, workspace): (Vec<u8>, Vec<u8>) =
                (bytes(dcn_plan_packed_weight_size), bytes(dcn_plan_workspace_size));
            let mut args: dcn_pack_args = zeroed();
            args.struct_size = size_of::<dcn_pack_args>();
            args.pass = pass;
            args.weight = ptr::from_ref(&1f32).cast();
            (args.packed, args.packed_size) = (packed.as_mut_ptr().cast(), packed.len());
            assert_eq!(dcn_plan_pack_weight(plan, &args), DCN_OK);
            let (input, outputs) = (Box::new([0.25; 2]), Box::new([[0.0; 2]; 5]));
            Self { context, plan, pass, input, outputs, packed, workspace }
        }
    }

    fn run(&mut self) {
        let input = self.input.as_ptr().cast::<c_void>();
        let (packed_weight, packed_weight_size) = (self.packed.as_ptr().cast(), self.packed.len());
        let (workspace, workspace_size) = (self.workspace.as_mut_ptr().cast(), self.workspace.len());
        let [first, second, third, fourth, fifth] = self.outputs.each_mut().map(|tensor| tensor.as_mut_ptr().cast());
        let status = if self.pass == DCN_PASS_FORWARD {
            let args = dcn_forward_args {
                struct_size: size_of::<dcn_forward_args>(),
                x: input,
                offset: input,
                mask: input,
                weight: ptr::null(),
                packed_weight,
                packed_weight_size,
                bias: input,
                y: first,
                workspace,
                workspace_size,
                stream: ptr::null_mut(),
            };
            // SAFETY: the buffers have the sizes that the problem and the plan ask for.
            unsafe { dcn_plan_forward(self.plan, &args) }
        } else {
            let args = dcn_backward_args {
                struct_size: size_of::<dcn_backward_args>(),
                x: input,
                offset: input,
                mask: input,
                weight: ptr::null(),
                packed_weight,
                packed_weight_size,
                grad_y: input,
                grad_x: first,
                grad_offset: second,
                grad_mask: third,
                grad_weight: fourth,
                grad_bias: fifth,
                accumulate: 0,
                reserved0: 0,
                workspace,
                workspace_size,
                stream: ptr::null_mut(),
            };
            // SAFETY: as above.
            unsafe { dcn_plan_backward(self.plan, &args) }
        };
        assert_eq!(status, DCN_OK);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // SAFETY: live handles, destroyed once, and no call is running.
        unsafe {
            dcn_plan_destroy(self.plan);
            dcn_context_destroy(self.context);
        }
    }
}

/// A 1x1 kernel on images of one pixel, from one channel to one.
fn problem(batch: i64, pass: dcn_pass) -> dcn_problem {
    dcn_problem {
        struct_size: size_of::<dcn_problem>(),
        passes: 1 << pass,
        x: tensor(&[batch, 1, 1, 1]),
        offset: tensor(&[batch, 2, 1, 1]),
        mask: tensor(&[batch, 1, 1, 1]),
        weight: tensor(&[1, 1, 1, 1]),
        bias: tensor(&[1]),
        ..Default::default()
    }
}

fn tensor(dims: &[i64]) -> dcn_tensor_desc {
    let mut desc = dcn_tensor_desc { dtype: DCN_F32, rank: dims.len() as i32, ..Default::default() };
    desc.dims[..dims.len()].copy_from_slice(dims);
    desc
}
