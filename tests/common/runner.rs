//! Runs problems through the C functions.

use super::case::Case;
use super::dtype::Dtype;
use super::effort::{dealt, is_reduced, wants};
use super::executor::Host;
use super::memory::Scratch;
use super::problem::{Gradients, Problem};
use super::tensor::Tensor;
use deformconv::abi::*;
use deformconv::context::Isa;
use deformconv::error::Error;
use deformconv::ffi::*;
use std::ffi::{CStr, c_void};
use std::mem::MaybeUninit;
use std::ptr;

/// A call that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub call: &'static str,
    pub status: dcn_status,
    pub message: String,
}

impl Refusal {
    pub fn is_unsupported(&self) -> bool {
        self.status == DCN_ERROR_UNSUPPORTED
    }
}

fn check(call: &'static str, status: dcn_status) -> Result<(), Refusal> {
    if status == DCN_OK {
        return Ok(());
    }
    let mut text = vec![0u8; 2048];
    // SAFETY: the buffer has that many bytes.
    unsafe { dcn_last_error_message(text.as_mut_ptr().cast(), text.len()) };
    let text = CStr::from_bytes_until_nul(&text).expect("the message is terminated");
    Err(Refusal { call, status, message: text.to_string_lossy().into_owned() })
}

/// Who runs the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// The context's own threads.
    Own(i32),
    Host(Host, u32),
}

/// Where scratch memory comes from; the caller's begins so many bytes behind a multiple of 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workspace {
    Allocator,
    Caller { misalignment: usize },
}

/// How a problem is run: nothing of it may change a bit of the result, but for the instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    pub isa: Isa,
    /// Takes the implementation that is for images too large for all others, instead of the instruction set's kernels.
    pub direct: bool,
    pub threads: Threads,
    pub workspace: Workspace,
    /// Packs the weights first, to memory that begins so many bytes behind a multiple of 64.
    pub packed: Option<usize>,
}

impl Setup {
    /// On the calling thread, with the caller's workspace.
    pub fn plain(isa: Isa) -> Self {
        let workspace = Workspace::Caller { misalignment: 0 };
        Self { isa, direct: false, threads: Threads::Own(1), workspace, packed: None }
    }

    /// This setup with all that may compute a problem on this machine; where less is done, without the direct
    /// implementation of problems that it takes long for.
    pub fn everywhere(self, case: &Case) -> Vec<Self> {
        const SHORT_WORK: i64 = 400_000;
        let direct = Self { isa: Isa::Scalar, direct: true, ..self };
        let direct = (wants(direct.isa) && (case.work() <= SHORT_WORK || !is_reduced())).then_some(direct);
        isas().0.into_iter().map(|isa| Self { isa, ..self }).chain(direct).collect()
    }
}

/// Ways that differ in everything, for problems that have a name; one for the halves, which share their passes with
/// f32, and one for each type where less is done.
pub fn few_setups(dtype: Dtype) -> Vec<Setup> {
    let plain = Setup::plain(Isa::Scalar);
    let own = Setup { threads: Threads::Own(4), packed: Some(0), ..plain };
    let host = Setup { threads: Threads::Host(Host::Concurrent, 3), workspace: Workspace::Allocator, ..plain };
    if dtype.is_half() { vec![plain] } else { dealt(vec![own, host, plain], dtype as usize, 3) }
}

struct Context(*mut dcn_context);

impl Context {
    fn new(setup: &Setup) -> Result<Self, Refusal> {
        // SAFETY: zero is the default of every field.
        let mut config: dcn_context_config = unsafe { MaybeUninit::zeroed().assume_init() };
        config.struct_size = size_of::<dcn_context_config>();
        config.max_isa = setup.isa.name().as_ptr();
        match setup.threads {
            Threads::Own(threads) => config.num_threads = threads,
            Threads::Host(host, concurrency) => config.executor = host.executor(concurrency),
        }
        let mut context = ptr::null_mut();
        // SAFETY: a valid configuration; its callbacks are functions of this program.
        check("dcn_context_create", unsafe { dcn_context_create(&config, &mut context) })?;
        Ok(Self(context))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: a live handle, given up here.
        unsafe { dcn_context_destroy(self.0) };
    }
}

/// What a plan says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    pub isa: String,
    pub forward_kernel: String,
    pub backward_kernel: String,
    pub packed_layout: [u64; 2],
    pub max_tasks: u32,
}

/// A plan for a problem, in a context of its own.
pub struct Plan<'p> {
    handle: *mut dcn_plan,
    problem: &'p Problem,
    setup: Setup,
    _context: Context,
}

impl Drop for Plan<'_> {
    fn drop(&mut self) {
        // SAFETY: a live handle, given up here.
        unsafe { dcn_plan_destroy(self.handle) };
    }
}

fn pointer(tensor: Option<&Tensor>) -> *mut c_void {
    tensor.map_or(ptr::null_mut(), Tensor::pointer)
}

impl<'p> Plan<'p> {
    pub fn new(problem: &'p Problem, setup: &Setup) -> Result<Self, Refusal> {
        let context = Context::new(setup)?;
        let mut handle = ptr::null_mut();
        // SAFETY: a live context and a valid descriptor.
        unsafe {
            if setup.direct {
                let refusal = |Error { status, message }| Refusal { call: "a direct plan", status, message };
                handle = Box::into_raw(dcn_plan::direct(context.0, &problem.descriptor).map_err(refusal)?);
            } else {
                check("dcn_plan_create", dcn_plan_create(context.0, &problem.descriptor, &mut handle))?;
            }
        }
        Ok(Self { handle, problem, setup: *setup, _context: context })
    }

    pub fn info(&self) -> Info {
        // SAFETY: zero is a value of every field.
        let mut info: dcn_plan_info = unsafe { MaybeUninit::zeroed().assume_init() };
        info.struct_size = size_of::<dcn_plan_info>();
        // SAFETY: a live plan.
        check("dcn_plan_get_info", unsafe { dcn_plan_get_info(self.handle, &mut info) }).expect("a plan's info");
        // SAFETY: the plan's strings are static.
        let text = |text| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned();
        Info {
            isa: text(info.isa),
            forward_kernel: text(info.forward_kernel),
            backward_kernel: text(info.backward_kernel),
            packed_layout: info.packed_layout,
            max_tasks: info.max_tasks,
        }
    }

    pub fn workspace_size(&self, pass: dcn_pass) -> Result<usize, Refusal> {
        let mut size = 0;
        // SAFETY: a live plan.
        check("dcn_plan_workspace_size", unsafe { dcn_plan_workspace_size(self.handle, pass, &mut size) })?;
        Ok(size)
    }

    fn workspace(&self, pass: dcn_pass) -> Result<Option<Scratch>, Refusal> {
        match self.setup.workspace {
            Workspace::Allocator => Ok(None),
            Workspace::Caller { misalignment } => Ok(Some(Scratch::new(self.workspace_size(pass)?, misalignment))),
        }
    }

    pub fn packed_size(&self, pass: dcn_pass) -> Result<usize, Refusal> {
        let mut size = 0;
        // SAFETY: a live plan.
        let status = unsafe { dcn_plan_packed_weight_size(self.handle, pass, &mut size) };
        check("dcn_plan_packed_weight_size", status)?;
        Ok(size)
    }

    fn packed(&self, pass: dcn_pass) -> Result<Option<Scratch>, Refusal> {
        let Some(misalignment) = self.setup.packed else { return Ok(None) };
        let size = self.packed_size(pass)?;
        let packed = Scratch::new(size, misalignment);
        let args = dcn_pack_args {
            struct_size: size_of::<dcn_pack_args>(),
            pass,
            reserved0: 0,
            weight: self.problem.weight.pointer(),
            packed: packed.pointer().cast(),
            packed_size: size,
            workspace: ptr::null_mut(),
            workspace_size: 0,
            stream: ptr::null_mut(),
        };
        // SAFETY: the pointers are what the descriptor says.
        check("dcn_plan_pack_weight", unsafe { dcn_plan_pack_weight(self.handle, &args) })?;
        packed.assert_guards("packed weights");
        Ok(Some(packed))
    }

    /// Writes y; fails the test if anything else changes.
    pub fn forward(&self, y: &Tensor) -> Result<(), Refusal> {
        let problem = self.problem;
        let packed = self.packed(DCN_PASS_FORWARD)?;
        let workspace = self.workspace(DCN_PASS_FORWARD)?;
        let args = dcn_forward_args {
            struct_size: size_of::<dcn_forward_args>(),
            x: problem.x.pointer(),
            offset: problem.offset.pointer(),
            mask: pointer(problem.mask.as_ref()),
            weight: if packed.is_some() { ptr::null_mut() } else { problem.weight.pointer() },
            packed_weight: start(&packed),
            packed_weight_size: packed.as_ref().map_or(0, Scratch::size),
            bias: pointer(problem.bias.as_ref()),
            y: y.pointer(),
            workspace: start(&workspace),
            workspace_size: workspace.as_ref().map_or(0, Scratch::size),
            stream: ptr::null_mut(),
        };
        let before = inputs(problem, None, &packed);
        // SAFETY: the pointers are what the descriptor says.
        check("dcn_plan_forward", unsafe { dcn_plan_forward(self.handle, &args) })?;
        assert!(before == inputs(problem, None, &packed), "an input was written");
        for (scratch, what) in [(&workspace, "workspace"), (&packed, "packed weights")] {
            scratch.iter().for_each(|scratch| scratch.assert_guards(what));
        }
        Ok(())
    }

    /// Computes the gradients of the DCN_GRAD_... bits `wanted`, adding to what is there for those in `accumulate`.
    pub fn backward(&self, gradients: &Gradients, wanted: u32, accumulate: u32) -> Result<(), Refusal> {
        let problem = self.problem;
        let packed = self.packed(DCN_PASS_BACKWARD)?;
        let workspace = self.workspace(DCN_PASS_BACKWARD)?;
        let want = |bit, tensor| if wanted & bit != 0 { pointer(tensor) } else { ptr::null_mut() };
        let args = dcn_backward_args {
            struct_size: size_of::<dcn_backward_args>(),
            x: problem.x.pointer(),
            offset: problem.offset.pointer(),
            mask: pointer(problem.mask.as_ref()),
            weight: if packed.is_some() { ptr::null_mut() } else { problem.weight.pointer() },
            packed_weight: start(&packed),
            packed_weight_size: packed.as_ref().map_or(0, Scratch::size),
            grad_y: gradients.y.pointer(),
            grad_x: want(DCN_GRAD_X, Some(&gradients.x)),
            grad_offset: want(DCN_GRAD_OFFSET, Some(&gradients.offset)),
            grad_mask: want(DCN_GRAD_MASK, gradients.mask.as_ref()),
            grad_weight: want(DCN_GRAD_WEIGHT, Some(&gradients.weight)),
            grad_bias: want(DCN_GRAD_BIAS, gradients.bias.as_ref()),
            accumulate,
            reserved0: 0,
            workspace: start(&workspace),
            workspace_size: workspace.as_ref().map_or(0, Scratch::size),
            stream: ptr::null_mut(),
        };
        let before = inputs(problem, Some(&gradients.y), &packed);
        // SAFETY: the pointers are what the descriptor says.
        check("dcn_plan_backward", unsafe { dcn_plan_backward(self.handle, &args) })?;
        assert!(before == inputs(problem, Some(&gradients.y), &packed), "an input was written");
        for (scratch, what) in [(&workspace, "workspace"), (&packed, "packed weights")] {
            scratch.iter().for_each(|scratch| scratch.assert_guards(what));
        }
        Ok(())
    }
}

fn start(scratch: &Option<Scratch>) -> *mut c_void {
    scratch.as_ref().map_or(ptr::null_mut(), |scratch| scratch.pointer().cast())
}

/// All bytes of all inputs, the gaps between their elements included.
fn inputs(problem: &Problem, grad_y: Option<&Tensor>, packed: &Option<Scratch>) -> Vec<Vec<u8>> {
    let tensors = [Some(&problem.x), Some(&problem.offset), problem.mask.as_ref(), Some(&problem.weight)];
    let tensors = tensors.into_iter().chain([problem.bias.as_ref(), grad_y]).flatten();
    tensors.map(Tensor::block).chain(packed.iter().map(Scratch::block)).collect()
}

/// Makes a plan and runs it forward once.
pub fn forward(problem: &Problem, setup: &Setup) -> Result<Tensor, Refusal> {
    let y = problem.y();
    Plan::new(problem, setup)?.forward(&y)?;
    y.assert_surroundings("y");
    Ok(y)
}

/// Makes a plan and runs it backward once, for all gradients.
pub fn backward(problem: &Problem, setup: &Setup) -> Result<Gradients, Refusal> {
    let gradients = problem.gradients();
    Plan::new(problem, setup)?.backward(&gradients, all_gradients(problem), 0)?;
    gradients.outputs().iter().for_each(|(name, tensor)| tensor.assert_surroundings(name));
    Ok(gradients)
}

pub const GRADIENTS: [(&str, u32); 5] = [
    ("grad_x", DCN_GRAD_X),
    ("grad_offset", DCN_GRAD_OFFSET),
    ("grad_mask", DCN_GRAD_MASK),
    ("grad_weight", DCN_GRAD_WEIGHT),
    ("grad_bias", DCN_GRAD_BIAS),
];

/// The bits of the gradients that the problem has.
pub fn all_gradients(problem: &Problem) -> u32 {
    let mask = if problem.mask.is_some() { DCN_GRAD_MASK } else { 0 };
    let bias = if problem.bias.is_some() { DCN_GRAD_BIAS } else { 0 };
    DCN_GRAD_X | DCN_GRAD_OFFSET | DCN_GRAD_WEIGHT | mask | bias
}

/// The instruction sets of this architecture that this processor has, and a line for each that it has not.
pub fn isas() -> (Vec<Isa>, Vec<String>) {
    let here: &[Isa] = if cfg!(target_arch = "x86_64") {
        &[Isa::Scalar, Isa::Avx2, Isa::Avx512]
    } else if cfg!(target_arch = "aarch64") {
        &[Isa::Scalar, Isa::Neon]
    } else {
        &[Isa::Scalar]
    };
    let wanted = here.iter().copied().filter(|isa| wants(*isa));
    let (available, missing): (Vec<_>, Vec<_>) = wanted.partition(|isa| isa.is_available());
    let line = |isa: Isa| format!("{} was NOT run: this processor does not have it", isa.name().to_string_lossy());
    (available, missing.into_iter().map(line).collect())
}
