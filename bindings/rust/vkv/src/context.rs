//! The handle that operations run on.
use std::ptr::NonNull;

use vkv_sys as sys;

use crate::error::{check, text, Result};
use crate::operation::{AttentionOperation, Fields, Operation, ViewOperation};
use crate::report::DeviceReport;
use crate::stream::Stream;

/// What runs the operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum Backend {
    /// CUDA where a usable GPU is present, else the CPU.
    #[default]
    Auto = sys::VKV_BACKEND_AUTO,
    /// A GPU.
    Cuda = sys::VKV_BACKEND_CUDA,
    /// This machine's processors.
    Cpu = sys::VKV_BACKEND_CPU,
}

/// How a context is made; `Default` leaves all to the library.
#[derive(Clone, Copy, Debug, Default)]
pub struct ContextOptions {
    /// What runs the operations.
    pub backend: Backend,
    /// CUDA device ordinal; 0 for the CPU backend.
    pub device: i32,
    /// CPU backend: threads that work on one call, the caller's included; 0 is one for each CPU that this process may
    /// use.
    pub num_threads: i32,
}

/// What a context runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextInfo {
    /// `Cuda` or `Cpu`.
    pub backend: Backend,
    /// CUDA device ordinal; 0 for the CPU.
    pub device: i32,
    /// CPU: threads that work on one call; 0 for CUDA.
    pub num_threads: i32,
    /// CUDA: multiprocessors; 0 for the CPU.
    pub num_sms: i32,
    /// CUDA: compute capability, major and minor; 0 for the CPU.
    pub compute_capability: (i32, i32),
    /// The GPU's name, or the vector units in use.
    pub name: String,
}

/// A backend on a device. It is immutable: any number of threads may share one.
///
/// Dropping it while work that it enqueued is still running is excluded by the contract of the views that such work
/// needs ([`Tensor::from_raw`](crate::Tensor::from_raw)).
#[derive(Debug)]
pub struct Context {
    handle: NonNull<sys::vkv_context>,
    backend: Backend,
}

// The library's functions are thread-safe; only destruction must not overlap other use, which ownership rules out.
unsafe impl Send for Context {}
unsafe impl Sync for Context {}

impl Context {
    /// A context of this backend.
    pub fn new(backend: Backend) -> Result<Self> {
        Self::with_options(&ContextOptions { backend, ..ContextOptions::default() })
    }

    /// A context as the options say.
    pub fn with_options(options: &ContextOptions) -> Result<Self> {
        let params = sys::vkv_context_params {
            backend: options.backend as i32,
            device: options.device,
            num_threads: options.num_threads,
            ..Default::default()
        };
        let mut handle = std::ptr::null_mut();
        check(unsafe { sys::vkv_context_create(&params, &mut handle) })?;
        let handle = NonNull::new(handle).expect("a created context is not null");
        let mut context = Context { handle, backend: Backend::Auto };
        context.backend = context.info()?.backend;
        Ok(context)
    }

    /// What this context runs on.
    pub fn info(&self) -> Result<ContextInfo> {
        let mut info = sys::vkv_context_info::default();
        check(unsafe { sys::vkv_context_get_info(self.handle.as_ptr(), &mut info) })?;
        Ok(ContextInfo {
            backend: if info.backend == sys::VKV_BACKEND_CUDA { Backend::Cuda } else { Backend::Cpu },
            device: info.device,
            num_threads: info.num_threads,
            num_sms: info.num_sms,
            compute_capability: (info.cc_major, info.cc_minor),
            name: text(info.name.as_ptr()),
        })
    }

    /// Runs an operation. CPU: the work is done on return. CUDA: it is enqueued on the stream, to which the views'
    /// contracts apply; views of slices are refused there.
    pub fn run<O: ViewOperation>(&self, operation: &mut O, stream: Stream) -> Result<()> {
        self.enqueue(operation, stream)
    }

    /// Runs any operation, also those that take addresses as numbers: [`SwapBlocksBatch`](crate::SwapBlocksBatch) and
    /// [`CopyBlocks`](crate::CopyBlocks).
    ///
    /// # Safety
    /// For the memory behind such addresses: what [`Tensor::from_raw`](crate::Tensor::from_raw) asks where it is read,
    /// and [`TensorMut::from_raw`](crate::TensorMut::from_raw) where it is written.
    pub unsafe fn run_unchecked<O: Operation>(&self, operation: &mut O, stream: Stream) -> Result<()> {
        self.enqueue(operation, stream)
    }

    fn enqueue<O: Operation>(&self, operation: &O, stream: Stream) -> Result<()> {
        let raw = operation.raw(&Fields::of_run(O::NAME, self.backend))?;
        check(unsafe { (O::RUN)(self.handle.as_ptr(), &raw, stream.0) })
    }

    /// Whether [`run`](Self::run) would take these shapes, dtypes and options here; the error says why not. Looks at no
    /// memory: tensors may come from null pointers, and workspaces may be missing.
    pub fn supported<O: Operation>(&self, operation: &O) -> Result<()> {
        let raw = operation.raw(&Fields::of_question())?;
        check(unsafe { (O::SUPPORTED)(self.handle.as_ptr(), &raw) })
    }

    /// Bytes of scratch memory that attention of these shapes and bounds needs. Never depends on what tensors hold.
    pub fn workspace_size<O: AttentionOperation>(&self, operation: &O) -> Result<usize> {
        let raw = operation.raw(&Fields::of_question())?;
        let mut bytes = 0;
        check(unsafe { (O::WORKSPACE_SIZE)(self.handle.as_ptr(), &raw, &mut bytes) })?;
        Ok(bytes)
    }

    /// Reads and clears the device report: numbers out of range that kernels met in slots, tables, lengths and offsets
    /// since the last time. Does not wait for CUDA work that is still running.
    pub fn read_device_report(&self) -> Result<Option<DeviceReport>> {
        let mut report = sys::vkv_device_report::default();
        check(unsafe { sys::vkv_context_read_device_report(self.handle.as_ptr(), &mut report) })?;
        Ok(DeviceReport::from_raw(&report))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        unsafe { sys::vkv_context_destroy(self.handle.as_ptr()) }
    }
}
