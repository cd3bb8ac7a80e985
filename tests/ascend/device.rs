//! What a host does for itself: streams, device memory, copies.

use super::fake::Fake;
use std::ffi::c_void;
use std::ptr;

/// A stream of a device, which is current on this thread.
pub struct Stream<'f> {
    pub fake: &'f Fake,
    pub handle: *mut c_void,
}

impl<'f> Stream<'f> {
    pub fn new(fake: &'f Fake) -> Self {
        let mut handle = ptr::null_mut();
        // SAFETY: a writable handle.
        assert_eq!(unsafe { (fake.functions.aclrtCreateStream)(&mut handle) }, 0);
        Self { fake, handle }
    }

    /// The default stream of the current device.
    pub fn default(fake: &'f Fake) -> Self {
        Self { fake, handle: ptr::null_mut() }
    }

    /// Runs what waits; an error code of CANN's.
    pub fn synchronise(&self) -> i32 {
        // SAFETY: a live stream.
        unsafe { (self.fake.functions.aclrtSynchronizeStream)(self.handle) }
    }

    /// Device memory with these bytes in it. Runs what waits on the stream.
    pub fn upload(&self, bytes: &[u8]) -> Buffer<'f> {
        let buffer = Buffer::new(self.fake, bytes.len());
        if !bytes.is_empty() {
            let (to, size) = (buffer.address, bytes.len());
            // SAFETY: both sides have so many bytes, and live until the copy is over.
            unsafe {
                let code =
                    (self.fake.functions.aclrtMemcpyAsync)(to, size, bytes.as_ptr().cast(), size, 1, self.handle);
                assert_eq!(code, 0, "{}", self.fake.violations());
            }
            assert_eq!(self.synchronise(), 0);
        }
        buffer
    }

    /// Copies what is in device memory to `bytes`. Runs what waits on the stream.
    pub fn download(&self, from: &Buffer, bytes: &mut [u8]) {
        assert_eq!(from.size, bytes.len());
        if !bytes.is_empty() {
            let (to, size) = (bytes.as_mut_ptr().cast(), from.size);
            // SAFETY: as in `upload`.
            unsafe {
                let code = (self.fake.functions.aclrtMemcpyAsync)(to, size, from.address, size, 2, self.handle);
                assert_eq!(code, 0, "{}", self.fake.violations());
            }
            assert_eq!(self.synchronise(), 0, "{}", self.fake.violations());
        }
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        if !self.handle.is_null() && !std::thread::panicking() {
            // SAFETY: a live stream, given up here.
            unsafe { (self.fake.functions.aclrtDestroyStream)(self.handle) };
        }
    }
}

/// Device memory; NULL if it has no bytes.
pub struct Buffer<'f> {
    fake: &'f Fake,
    pub address: *mut c_void,
    pub size: usize,
}

impl<'f> Buffer<'f> {
    pub fn new(fake: &'f Fake, size: usize) -> Self {
        let mut address = ptr::null_mut();
        if size > 0 {
            // SAFETY: a writable pointer.
            assert_eq!(unsafe { (fake.functions.aclrtMalloc)(&mut address, size, 0) }, 0);
        }
        Self { fake, address, size }
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        if !self.address.is_null() {
            // SAFETY: allocated by this library, given up here.
            unsafe { (self.fake.functions.aclrtFree)(self.address) };
        }
    }
}
