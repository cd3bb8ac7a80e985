//! `dcn_context_create` refuses what is wrong, each with its status and message; buffers and log lines go where the
//! host wants them.

use config::{create, default_config, message};
use deformconv::abi::*;
use deformconv::context::{Context, Log, Memory};
use deformconv::ffi::{dcn_context_create, dcn_context_destroy};
use std::alloc::{Layout, alloc, dealloc};
use std::ffi::{CStr, CString, c_char, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Mutex;

mod config;

/// An executor's, allocator's or logger's reserved field that is not NULL.
const SOMETHING: *mut c_void = ptr::without_provenance_mut(8);

unsafe extern "C" fn parallel_for(
    _ctx: *mut c_void,
    _n: usize,
    _task: Option<unsafe extern "C" fn(arg: *mut c_void, i: usize)>,
    _arg: *mut c_void,
) -> i32 {
    0
}

#[test]
fn defaults_are_accepted() {
    assert_eq!(create(&default_config()), DCN_OK);
    let mut context = ptr::null_mut();
    // SAFETY: a NULL config is allowed and `context` is writable; the handle is destroyed once, as is NULL.
    unsafe {
        assert_eq!(dcn_context_create(ptr::null(), &mut context), DCN_OK);
        assert!(!context.is_null());
        dcn_context_destroy(context);
        dcn_context_destroy(ptr::null_mut());
    }
}

#[test]
fn out_must_not_be_null() {
    // SAFETY: NULL is refused.
    let status = unsafe { dcn_context_create(&default_config(), ptr::null_mut()) };
    assert_eq!((status, &*message()), (DCN_ERROR_NULL_POINTER, "out is NULL, expected where to store the context"));
}

/// A change of the default configuration, and what must come of it: the status and a part of the message.
type Refusal = (fn(&mut dcn_context_config), dcn_status, &'static str);

#[test]
fn each_refusal_has_its_status_and_message() {
    let refusals: &[Refusal] = &[
        (|c| c.struct_size = 0, DCN_ERROR_STRUCT_SIZE, "config->struct_size is 0, expected sizeof(dcn_context_config)"),
        (|c| c.struct_size -= 1, DCN_ERROR_STRUCT_SIZE, "config->struct_size is 135"),
        (|c| c.num_threads = -1, DCN_ERROR_INVALID_ARGUMENT, "config->num_threads is -1, expected 0 to 4096"),
        (|c| c.num_threads = i32::MIN, DCN_ERROR_INVALID_ARGUMENT, "config->num_threads is -2147483648"),
        (|c| c.num_threads = 4097, DCN_ERROR_INVALID_ARGUMENT, "config->num_threads is 4097, expected 0 to 4096"),
        (|c| c.num_threads = i32::MAX, DCN_ERROR_INVALID_ARGUMENT, "config->num_threads is 2147483647"),
        (|c| c.ascend_device = -1, DCN_ERROR_INVALID_ARGUMENT, "config->ascend_device is -1, expected 0 or more"),
        (|c| c.max_isa = c"".as_ptr(), DCN_ERROR_INVALID_ARGUMENT, "config->max_isa is \"\""),
        (
            |c| c.max_isa = c"AVX2".as_ptr(),
            DCN_ERROR_INVALID_ARGUMENT,
            "config->max_isa is \"AVX2\", expected \"scalar\"",
        ),
        (|c| c.max_isa = c"\xff".as_ptr(), DCN_ERROR_INVALID_ARGUMENT, "config->max_isa is \"\u{fffd}\""),
        (|c| c.max_isa = FOREIGN_ISA.as_ptr(), DCN_ERROR_UNSUPPORTED, "not an instruction set of this architecture"),
        (|c| c.executor.concurrency = 3, DCN_ERROR_INVALID_ARGUMENT, "config->executor.parallel_for is NULL"),
        (|c| c.executor.reserved0 = 3, DCN_ERROR_INVALID_ARGUMENT, "config->executor.reserved0 is 3, expected 0"),
        (|c| c.executor.reserved[0] = SOMETHING, DCN_ERROR_INVALID_ARGUMENT, "config->executor.reserved is not NULL"),
        (|c| c.executor.reserved[1] = SOMETHING, DCN_ERROR_INVALID_ARGUMENT, "config->executor.reserved is not NULL"),
        (|c| c.allocator.alloc = Some(host_alloc), DCN_ERROR_INVALID_ARGUMENT, "config->allocator.free is NULL"),
        (|c| c.allocator.free = Some(host_free), DCN_ERROR_INVALID_ARGUMENT, "config->allocator.alloc is NULL"),
        (|c| c.allocator.reserved[0] = SOMETHING, DCN_ERROR_INVALID_ARGUMENT, "config->allocator.reserved is not NULL"),
        (|c| c.allocator.reserved[1] = SOMETHING, DCN_ERROR_INVALID_ARGUMENT, "config->allocator.reserved is not NULL"),
        (|c| c.logger.reserved[0] = SOMETHING, DCN_ERROR_INVALID_ARGUMENT, "config->logger.reserved is not NULL"),
        (|c| c.logger.reserved[1] = SOMETHING, DCN_ERROR_INVALID_ARGUMENT, "config->logger.reserved is not NULL"),
    ];
    for (change, status, text) in refusals {
        let mut config = default_config();
        change(&mut config);
        assert_eq!(create(&config), *status, "{text}: {}", message());
        assert!(message().contains(text), "{text}: {}", message());
    }
}

#[cfg(target_arch = "x86_64")]
const FOREIGN_ISA: &CStr = c"neon";
#[cfg(not(target_arch = "x86_64"))]
const FOREIGN_ISA: &CStr = c"avx2";

#[test]
fn a_longer_config_must_be_zero_beyond_what_is_known() {
    #[repr(C)]
    struct Longer {
        config: dcn_context_config,
        more: [u8; 3],
    }
    let mut longer = Longer { config: default_config(), more: [0; 3] };
    longer.config.struct_size += 3;
    assert_eq!(create(&longer.config), DCN_OK);
    longer.more[2] = 1;
    let mut context = ptr::without_provenance_mut(8);
    // SAFETY: the struct is as long as it says.
    let status = unsafe { dcn_context_create((&raw const longer).cast(), &mut context) };
    assert_eq!((status, context), (DCN_ERROR_STRUCT_SIZE, ptr::null_mut()));
    assert!(message().contains("byte 138 is not 0"), "{}", message());
}

#[test]
fn an_executor_overrides_num_threads() {
    let mut config = default_config();
    config.executor.parallel_for = Some(parallel_for);
    config.executor.concurrency = 7;
    for num_threads in [2, 4097, -1] {
        config.num_threads = num_threads;
        // SAFETY: the callback is callable.
        let context = unsafe { Context::new(&config) }.expect("the configuration is accepted");
        assert_eq!(context.threads.concurrency(), 7);
    }
}

/// What an allocator was asked for and what it did.
#[derive(Default)]
struct Heap {
    /// Address, size and alignment of each block that is out.
    blocks: Mutex<Vec<(usize, usize, usize)>>,
    requests: Mutex<usize>,
    /// Added to the address of each block.
    shift: usize,
    full: bool,
}

impl Heap {
    fn memory(&self) -> Memory {
        let ctx = ptr::from_ref(self).cast_mut().cast();
        let none = default_config().allocator;
        let allocator = dcn_allocator { ctx, alloc: Some(host_alloc), free: Some(host_free), ..none };
        // SAFETY: the callbacks are callable and the heap outlives the memory in every test.
        unsafe { Memory::new(&allocator) }.expect("both functions are there")
    }

    fn blocks(&self) -> usize {
        self.blocks.lock().expect("nobody panics").len()
    }

    fn requests(&self) -> usize {
        *self.requests.lock().expect("nobody panics")
    }
}

fn layout(size: usize, align: usize, shift: usize) -> Layout {
    Layout::from_size_align(size + shift, align).expect("the library asks for sane blocks")
}

unsafe extern "C" fn host_alloc(ctx: *mut c_void, size: usize, align: usize) -> *mut c_void {
    // SAFETY: ctx is a Heap; all blocks have bytes.
    unsafe {
        let heap = &*ctx.cast::<Heap>();
        *heap.requests.lock().expect("nobody panics") += 1;
        if heap.full {
            return ptr::null_mut();
        }
        let block = alloc(layout(size, align, heap.shift)).add(heap.shift);
        heap.blocks.lock().expect("nobody panics").push((block.addr(), size, align));
        block.cast()
    }
}

unsafe extern "C" fn host_free(ctx: *mut c_void, block: *mut c_void, size: usize, align: usize) {
    // SAFETY: ctx is a Heap, and only blocks that are out are freed.
    unsafe {
        let heap = &*ctx.cast::<Heap>();
        let mut blocks = heap.blocks.lock().expect("nobody panics");
        let known = blocks.iter().position(|&b| b == (block.addr(), size, align));
        let Some(known) = known else { return eprintln!("a block that is not out was freed") };
        blocks.swap_remove(known);
        dealloc(block.cast::<u8>().sub(heap.shift), layout(size, align, heap.shift));
    }
}

#[test]
fn buffers_come_from_the_hosts_allocator_and_go_back() {
    let heap = Heap::default();
    let memory = heap.memory();
    let buffers: Vec<_> = [1, 64, 100_000].map(|size| memory.allocate(size, "a test").expect("there is room")).into();
    assert_eq!((heap.blocks(), heap.requests()), (3, 3));
    for (buffer, size) in buffers.iter().zip([1, 64, 100_000]) {
        assert_eq!((buffer.as_ptr().addr() % 64, buffer.size()), (0, size));
        // SAFETY: the buffer has so many bytes.
        unsafe { buffer.as_ptr().write_bytes(0xa5, size) };
    }
    drop(buffers);
    assert_eq!(heap.blocks(), 0);
}

#[test]
fn an_empty_buffer_asks_nobody() {
    let heap = Heap::default();
    let buffer = heap.memory().allocate(0, "a test").expect("nothing is needed");
    assert_eq!((buffer.as_ptr().addr() % 64, buffer.size()), (0, 0));
    drop(buffer);
    assert_eq!(heap.requests(), 0);
}

#[test]
fn a_full_allocator_is_out_of_memory() {
    let heap = Heap { full: true, ..Heap::default() };
    let error = heap.memory().allocate(12_345, "workspace").map(drop).expect_err("the heap is full");
    assert_eq!(error.status, DCN_ERROR_OUT_OF_MEMORY);
    assert_eq!(error.message, "workspace: allocating 12345 bytes failed");
    // A size that no address space has is not even asked for.
    let error = heap.memory().allocate(usize::MAX, "workspace").map(drop).expect_err("there is no such size");
    assert_eq!((error.status, heap.requests()), (DCN_ERROR_OUT_OF_MEMORY, 1));
}

#[test]
fn a_misaligned_block_is_refused_and_given_back() {
    let heap = Heap { shift: 32, ..Heap::default() };
    let error = heap.memory().allocate(100, "workspace").map(drop).expect_err("the block is misaligned");
    assert_eq!(error.status, DCN_ERROR_INVALID_ARGUMENT);
    assert!(error.message.starts_with("config->allocator.alloc returned 0x"), "{}", error.message);
    assert!(error.message.ends_with("expected a multiple of 64"), "{}", error.message);
    assert_eq!((heap.requests(), heap.blocks()), (1, 0));
}

#[test]
fn without_an_allocator_buffers_come_from_the_process() {
    // SAFETY: there are no callbacks.
    let memory = unsafe { Memory::new(&default_config().allocator) }.expect("none is fine");
    let buffer = memory.allocate(1000, "a test").expect("there is room");
    assert_eq!(buffer.as_ptr().addr() % 64, 0);
    // SAFETY: the buffer has so many bytes.
    unsafe { buffer.as_ptr().write_bytes(0xa5, 1000) };
    let error = memory.allocate(1 << 62, "workspace").map(drop).expect_err("no machine has so much");
    assert_eq!(error.status, DCN_ERROR_OUT_OF_MEMORY);
}

#[test]
fn lines_reach_the_logger_with_their_level() {
    type Lines = Mutex<Vec<(i32, CString)>>;
    unsafe extern "C" fn log(ctx: *mut c_void, level: i32, text: *const c_char) {
        // SAFETY: ctx is the test's, text a C string.
        let (lines, text) = unsafe { (&*ctx.cast::<Lines>(), CStr::from_ptr(text)) };
        lines.lock().expect("nobody panics").push((level, text.to_owned()));
    }
    let lines = Lines::default();
    let ctx = ptr::from_ref(&lines).cast_mut().cast();
    let logger = dcn_logger { ctx, log: Some(log), ..default_config().logger };
    // SAFETY: the callback is callable.
    let log = unsafe { Log::new(&logger) }.expect("the logger is accepted");
    log.line(DCN_LOG_ERROR, || "dcn_plan_create,the message".into());
    log.line(DCN_LOG_CHECK, || "a\nb\0c\rd".into());
    log.line(DCN_LOG_DISPATCH, || "größer".into());
    log.line(DCN_LOG_PROFILE, String::new);
    let expected = [
        (DCN_LOG_ERROR, c"deformconv,error,dcn_plan_create,the message"),
        (DCN_LOG_CHECK, c"deformconv,check,a b c d"),
        (DCN_LOG_DISPATCH, c"deformconv,dispatch,größer"),
        (DCN_LOG_PROFILE, c"deformconv,profile,"),
    ];
    assert_eq!(*lines.lock().expect("nobody panics"), expected.map(|(level, text)| (level, text.to_owned())));
}

#[test]
fn without_a_logger_lines_are_not_even_made() {
    // SAFETY: there is no callback.
    let log = unsafe { Log::new(&default_config().logger) }.expect("none is fine");
    for level in [DCN_LOG_ERROR, DCN_LOG_CHECK, DCN_LOG_DISPATCH, DCN_LOG_PROFILE] {
        assert!(!log.wants(level));
        log.line(level, || panic!("nobody wants this line"));
    }
}

#[test]
fn contexts_that_are_refused_leave_out_null() {
    let mut config = default_config();
    config.num_threads = -1;
    let mut context = MaybeUninit::new(ptr::without_provenance_mut(8));
    // SAFETY: `context` is writable.
    let (status, context) = unsafe { (dcn_context_create(&config, context.as_mut_ptr()), context.assume_init()) };
    assert_eq!((status, context), (DCN_ERROR_INVALID_ARGUMENT, ptr::null_mut()));
}
