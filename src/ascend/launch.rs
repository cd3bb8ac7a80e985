//! Work put on the caller's stream: kernels, matrix products, fills. Nothing here waits for the device.

use super::acl::{Acl, DATA_F32, FORMAT_ND, Handle, KEEP_PRECISION, SUCCESS};
use super::device::{Device, Function};
use super::plan::{ALIGN, Product};
use crate::abi::*;
use crate::error::{Error, Result, require};
use std::ffi::c_void;
use std::ptr;

/// A stream of the caller's, on the device of a plan.
pub struct Stream<'a> {
    device: &'a Device,
    handle: Handle,
}

/// A matrix in device memory: contiguous f32, or the transpose of one.
#[derive(Clone, Copy)]
pub struct Matrix {
    pub address: *mut c_void,
    pub rows: i64,
    pub columns: i64,
    pub transposed: bool,
}

/// Memory that CANN's products may use.
#[derive(Clone, Copy)]
pub struct Scratch {
    pub address: *mut c_void,
    pub size: usize,
}

impl<'a> Stream<'a> {
    pub fn new(device: &'a Device, handle: *mut c_void) -> Result<Self> {
        device.check_current()?;
        Ok(Self { device, handle })
    }

    /// Starts a kernel on all vector cores. Its arguments are addresses and, last, a tiling struct, which is copied
    /// before this returns.
    ///
    /// # Safety
    ///
    /// The addresses are what the kernel reads and writes with this tiling.
    pub unsafe fn kernel<T: Copy>(&self, function: Function, addresses: &[*mut c_void], tiling: &T) -> Result<()> {
        let (acl, mut args) = (&self.device.acl, ptr::null_mut());
        let f = &acl.functions;
        // SAFETY: CANN's calls in the order it asks for: parameters, then placeholders, then their buffers. The
        // argument list is the thread's own and starts afresh with aclrtKernelArgsInit; nothing of it has to be freed.
        unsafe {
            acl.check("aclrtKernelArgsInit", (f.aclrtKernelArgsInit)(function.0, &mut args))?;
            for address in addresses {
                let (value, mut parameter) = (ptr::from_ref(address).cast_mut().cast(), ptr::null_mut());
                let code = (f.aclrtKernelArgsAppend)(args, value, size_of::<*mut c_void>(), &mut parameter);
                acl.check("aclrtKernelArgsAppend", code)?;
            }
            let (mut placeholder, mut buffer) = (ptr::null_mut(), ptr::null_mut());
            let code = (f.aclrtKernelArgsAppendPlaceHolder)(args, &mut placeholder);
            acl.check("aclrtKernelArgsAppendPlaceHolder", code)?;
            let code = (f.aclrtKernelArgsGetPlaceHolderBuffer)(args, placeholder, size_of::<T>(), &mut buffer);
            acl.check("aclrtKernelArgsGetPlaceHolderBuffer", code)?;
            buffer.cast::<T>().write_unaligned(*tiling);
            acl.check("aclrtKernelArgsFinalize", (f.aclrtKernelArgsFinalize)(args))?;
            let (blocks, none) = (self.device.vector_cores, ptr::null_mut());
            let code = (f.aclrtLaunchKernelWithConfig)(function.0, blocks, self.handle, none, args, none);
            acl.check("aclrtLaunchKernelWithConfig", code)
        }
    }

    /// Sets bytes to 0.
    ///
    /// # Safety
    ///
    /// `address` is device memory of so many bytes.
    pub unsafe fn zero(&self, address: *mut c_void, bytes: usize) -> Result<()> {
        // SAFETY: the caller's promise.
        let code = unsafe { (self.device.acl.functions.aclrtMemsetAsync)(address, bytes, 0, bytes, self.handle) };
        self.device.acl.check("aclrtMemsetAsync", code)
    }

    /// out = a b, or out += a b.
    ///
    /// # Safety
    ///
    /// The matrices and the scratch are device memory of their sizes; nothing overlaps out.
    pub unsafe fn product(&self, a: Matrix, b: Matrix, out: Matrix, accumulate: bool, scratch: Scratch) -> Result<()> {
        let acl = &*self.device.acl;
        let prepared = Prepared::new(acl, a, b, out, accumulate)?;
        require(prepared.size <= scratch.size as u64, || {
            let message = format!("{} asks for {} bytes of workspace", prepared.name(), prepared.size);
            Error::new(
                DCN_ERROR_BACKEND,
                format!("{message}, expected at most {} as told at plan creation", scratch.size),
            )
        })?;
        let workspace = if prepared.size == 0 { ptr::null_mut() } else { scratch.address };
        // SAFETY: the caller's promise.
        unsafe { prepared.start(workspace, self.handle) }
    }
}

/// Bytes of scratch that a product needs.
pub fn product_scratch(acl: &Acl, product: Product, transposed: (bool, bool), accumulate: bool) -> Result<u64> {
    let Product { m, k, n } = product;
    // The size does not depend on the addresses, which only have to look like some.
    let address = ptr::without_provenance_mut(ALIGN);
    let matrix = |rows, columns, transposed| Matrix { address, rows, columns, transposed };
    let (a, b) = (matrix(m, k, transposed.0), matrix(k, n, transposed.1));
    Ok(Prepared::new(acl, a, b, matrix(m, n, false), accumulate)?.size)
}

/// A product that CANN has planned.
struct Prepared<'a> {
    acl: &'a Acl,
    /// None once it is started.
    executor: Option<Handle>,
    size: u64,
    accumulate: bool,
    /// CANN looks at them until the product is started.
    _operands: ([Tensor<'a>; 3], Option<[Scalar<'a>; 2]>),
}

impl<'a> Prepared<'a> {
    fn new(acl: &'a Acl, a: Matrix, b: Matrix, out: Matrix, accumulate: bool) -> Result<Self> {
        let tensors = [Tensor::new(acl, a)?, Tensor::new(acl, b)?, Tensor::new(acl, out)?];
        let [a, b, out] = [tensors[0].handle, tensors[1].handle, tensors[2].handle];
        let ones = if accumulate { Some([Scalar::one(acl)?, Scalar::one(acl)?]) } else { None };
        let (mut size, mut executor, f) = (0, ptr::null_mut(), &acl.functions);
        // SAFETY: live handles, writable results.
        match &ones {
            None => acl.check("aclnnMmGetWorkspaceSize", unsafe {
                (f.aclnnMmGetWorkspaceSize)(a, b, out, KEEP_PRECISION, &mut size, &mut executor)
            })?,
            Some([beta, alpha]) => acl.check("aclnnInplaceAddmmGetWorkspaceSize", unsafe {
                let (beta, alpha, precision) = (beta.handle, alpha.handle, KEEP_PRECISION);
                (f.aclnnInplaceAddmmGetWorkspaceSize)(out, a, b, beta, alpha, precision, &mut size, &mut executor)
            })?,
        }
        Ok(Self { acl, executor: Some(executor), size, accumulate, _operands: (tensors, ones) })
    }

    fn name(&self) -> &'static str {
        if self.accumulate { "aclnnInplaceAddmm" } else { "aclnnMm" }
    }

    /// # Safety
    ///
    /// As [`Stream::product`].
    unsafe fn start(mut self, workspace: *mut c_void, stream: Handle) -> Result<()> {
        let f = &self.acl.functions;
        let start = if self.accumulate { f.aclnnInplaceAddmm } else { f.aclnnMm };
        // Starting gives the executor up, whatever comes of it.
        let executor = self.executor.take().unwrap_or(ptr::null_mut());
        // SAFETY: the caller's promise.
        let code = unsafe { start(workspace, self.size, executor, stream) };
        self.acl.check(self.name(), code)
    }
}

impl Drop for Prepared<'_> {
    /// An executor that was not started can be destroyed only once it is repeatable.
    fn drop(&mut self) {
        let f = &self.acl.functions;
        if let Some(executor) = self.executor {
            // SAFETY: the executor is alive. After a failure it stays behind; CANN has no other way to free it.
            unsafe {
                if (f.aclSetAclOpExecutorRepeatable)(executor) == SUCCESS {
                    (f.aclDestroyAclOpExecutor)(executor);
                }
            }
        }
    }
}

struct Tensor<'a> {
    acl: &'a Acl,
    handle: Handle,
}

impl<'a> Tensor<'a> {
    fn new(acl: &'a Acl, matrix: Matrix) -> Result<Self> {
        let Matrix { address, rows, columns, transposed } = matrix;
        let dims = [rows, columns];
        let (strides, storage) = if transposed { ([1, rows], [columns, rows]) } else { ([columns, 1], dims) };
        // SAFETY: arrays of two numbers, which the call copies.
        let handle = unsafe {
            let (dims, strides, storage) = (dims.as_ptr(), strides.as_ptr(), storage.as_ptr());
            (acl.functions.aclCreateTensor)(dims, 2, DATA_F32, strides, 0, FORMAT_ND, storage, 2, address)
        };
        Ok(Self { acl, handle: acl.handle("aclCreateTensor", handle)? })
    }
}

impl Drop for Tensor<'_> {
    fn drop(&mut self) {
        // SAFETY: a live handle, given up here.
        unsafe { (self.acl.functions.aclDestroyTensor)(self.handle) };
    }
}

struct Scalar<'a> {
    acl: &'a Acl,
    handle: Handle,
}

impl<'a> Scalar<'a> {
    fn one(acl: &'a Acl) -> Result<Self> {
        let mut one = 1.0_f32;
        // SAFETY: a float, which the call copies.
        let handle = unsafe { (acl.functions.aclCreateScalar)(ptr::from_mut(&mut one).cast(), DATA_F32) };
        Ok(Self { acl, handle: acl.handle("aclCreateScalar", handle)? })
    }
}

impl Drop for Scalar<'_> {
    fn drop(&mut self) {
        // SAFETY: a live handle, given up here.
        unsafe { (self.acl.functions.aclDestroyScalar)(self.handle) };
    }
}
