//! What the operations have in common: a params struct of the C interface, and the functions that take it.
use std::os::raw::c_void;

use vkv_sys as sys;

use crate::context::Backend;
use crate::error::{Error, Result};
use crate::tensor::{Tensor, TensorMut};
use crate::view::View;
use crate::workspace::WorkspaceView;

/// An operation with its tensors and options. Implemented by this crate's operations alone.
pub trait Operation: Call {}

/// An operation that reaches memory only through views, and can therefore be run without `unsafe`.
pub trait ViewOperation: Operation {}

/// An operation that takes a workspace.
pub trait AttentionOperation: Operation + ScratchCall {}

/// `vkv_<op>`.
pub(crate) type Run<Raw> =
    unsafe extern "C" fn(*const sys::vkv_context, *const Raw, sys::vkv_stream) -> sys::vkv_status;
/// `vkv_<op>_supported`.
pub(crate) type Supported<Raw> = unsafe extern "C" fn(*const sys::vkv_context, *const Raw) -> sys::vkv_status;
/// `vkv_<op>_workspace_size`.
pub(crate) type WorkspaceSize<Raw> =
    unsafe extern "C" fn(*const sys::vkv_context, *const Raw, *mut usize) -> sys::vkv_status;

mod sealed {
    use super::*;

    pub trait Call {
        type Raw;
        const NAME: &'static str;
        const RUN: Run<Self::Raw>;
        const SUPPORTED: Supported<Self::Raw>;
        fn raw(&self, fields: &Fields) -> Result<Self::Raw>;
    }

    pub trait ScratchCall: Call {
        const WORKSPACE_SIZE: WorkspaceSize<Self::Raw>;
    }
}
pub(crate) use sealed::{Call, ScratchCall};

impl<T: Call> Operation for T {}
impl<T: ScratchCall> AttentionOperation for T {}

pub(crate) fn size_of<Raw>() -> u32 {
    std::mem::size_of::<Raw>() as u32
}

/// Turns views into fields of a params struct, and refuses those that a running operation could not reach safely.
pub struct Fields {
    function: &'static str,
    refuses_slices: bool,
}

impl Fields {
    pub(crate) fn of_run(function: &'static str, backend: Backend) -> Self {
        Fields { function, refuses_slices: backend == Backend::Cuda }
    }

    /// Of a question about shapes, dtypes and options, which looks at no memory.
    pub(crate) fn of_question() -> Self {
        Fields { function: "", refuses_slices: false }
    }

    /// A tensor in the context's memory.
    pub(crate) fn device(&self, name: &str, tensor: &impl AsView) -> Result<sys::vkv_tensor> {
        let view = tensor.view();
        self.check(name, view.host)?;
        Ok(view.raw)
    }

    /// A tensor in host memory on every backend, consumed before the call returns.
    pub(crate) fn host(&self, tensor: &impl AsView) -> sys::vkv_tensor {
        tensor.view().raw
    }

    pub(crate) fn workspace(&self, workspace: &WorkspaceView<'_>) -> Result<*mut c_void> {
        self.check("workspace", workspace.host)?;
        Ok(workspace.data)
    }

    fn check(&self, name: &str, host: bool) -> Result<()> {
        if host && self.refuses_slices {
            let sentence = format!(
                "{}: {} is a view of a slice, expected memory of the CUDA context (from_raw)",
                self.function, name
            );
            return Err(Error::invalid(sentence));
        }
        Ok(())
    }
}

pub(crate) trait AsView {
    fn view(&self) -> &View;
}

impl AsView for Tensor<'_> {
    fn view(&self) -> &View {
        &self.view
    }
}

impl AsView for TensorMut<'_> {
    fn view(&self) -> &View {
        &self.view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cuda_context_refuses_slices() {
        let numbers = [0f32; 4];
        let slice = Tensor::from(&numbers);
        let foreign = unsafe { Tensor::from_raw(numbers.as_ptr().cast(), crate::Dtype::F32, &[4]) }.unwrap();
        let cuda = Fields::of_run("vkv_op", Backend::Cuda);
        let error = cuda.device("query", &slice).unwrap_err();
        assert_eq!(error.status(), crate::Status::InvalidArgument);
        assert!(error.message().starts_with("vkv_op: query is a view of a slice"));
        assert!(cuda.device("query", &foreign).is_ok());
        assert!(cuda.workspace(&crate::Workspace::new(1).view()).is_err());
        assert_eq!(cuda.host(&slice).ndim, 1);
        assert!(Fields::of_run("vkv_op", Backend::Cpu).device("query", &slice).is_ok());
        assert!(Fields::of_question().device("query", &slice).is_ok());
    }
}
