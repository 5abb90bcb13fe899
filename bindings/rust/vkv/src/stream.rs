//! Where the work of a CUDA context is enqueued.
use std::os::raw::c_void;

use vkv_sys as sys;

/// A CUDA stream, borrowed from whoever made it. The CPU backend ignores it.
#[derive(Clone, Copy, Debug)]
pub struct Stream(pub(crate) sys::vkv_stream);

// A CUDA stream may be used from any thread.
unsafe impl Send for Stream {}
unsafe impl Sync for Stream {}

impl Stream {
    /// The legacy default stream.
    pub const DEFAULT: Stream = Stream(std::ptr::null_mut());

    /// A stream made elsewhere: a `cudaStream_t` or `CUstream`.
    ///
    /// # Safety
    /// It is null, or a live stream of the device of every context that it is used with, and stays one as long as it is
    /// used.
    pub unsafe fn from_raw(stream: *mut c_void) -> Self {
        Stream(stream.cast())
    }
}

impl Default for Stream {
    fn default() -> Self {
        Self::DEFAULT
    }
}
