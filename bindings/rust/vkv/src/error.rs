//! Refusals: the library's status and its sentence.
use std::ffi::CStr;
use std::fmt;

use vkv_sys as sys;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// A null or misaligned pointer, or a rank, shape, dtype, stride or option that the operation rules out.
    InvalidArgument,
    /// The workspace has fewer bytes than [`Context::workspace_size`](crate::Context::workspace_size) says.
    WorkspaceTooSmall,
    /// Right in itself, but not in this build, on this device or in this version.
    NotSupported,
    /// The backend asked for has no usable device, or is not in this build.
    NoDevice,
    /// The launch failed.
    Cuda,
    /// A defect of the library.
    Internal,
    /// Memory ran out.
    OutOfMemory,
    /// A status that this version of the crate does not know.
    Other(i32),
}

impl Status {
    const KNOWN: [(i32, Status); 7] = [
        (sys::VKV_ERROR_INVALID_ARGUMENT, Status::InvalidArgument),
        (sys::VKV_ERROR_WORKSPACE_TOO_SMALL, Status::WorkspaceTooSmall),
        (sys::VKV_ERROR_NOT_SUPPORTED, Status::NotSupported),
        (sys::VKV_ERROR_NO_DEVICE, Status::NoDevice),
        (sys::VKV_ERROR_CUDA, Status::Cuda),
        (sys::VKV_ERROR_INTERNAL, Status::Internal),
        (sys::VKV_ERROR_OUT_OF_MEMORY, Status::OutOfMemory),
    ];

    /// The number in C: `VKV_ERROR_*`.
    pub fn code(self) -> i32 {
        match self {
            Status::Other(code) => code,
            known => Self::KNOWN.iter().find(|(_, status)| *status == known).map_or(sys::VKV_OK, |(code, _)| *code),
        }
    }

    fn from_code(code: i32) -> Self {
        Self::KNOWN.iter().find(|(known, _)| *known == code).map_or(Status::Other(code), |(_, status)| *status)
    }

    /// The request is valid, but not to be had here: the only refusals after which to fall back on other code.
    pub fn is_unavailable(self) -> bool {
        self.code() / 100 == 2
    }
}

impl fmt::Display for Status {
    /// The name in C, such as `VKV_ERROR_NOT_SUPPORTED`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(unsafe { sys::vkv_status_string(self.code()) }))
    }
}

/// A refused call: a status, and a sentence that names the argument, what it is and what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    status: Status,
    message: String,
}

impl Error {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Error { status: Status::InvalidArgument, message: message.into() }
    }

    /// Why.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The sentence.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Turns the status of a call into a result. The message belongs to the thread, so this comes right after the call.
pub(crate) fn check(status: sys::vkv_status) -> Result<()> {
    if status == sys::VKV_OK {
        return Ok(());
    }
    let message = text(unsafe { sys::vkv_last_error_message() });
    Err(Error { status: Status::from_code(status), message })
}

/// A copy of one of the library's strings, which are never null.
pub(crate) fn text(string: *const std::os::raw::c_char) -> String {
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_the_library_s() {
        for (code, status) in Status::KNOWN {
            assert_eq!(Status::from_code(code), status);
            assert_eq!(status.code(), code);
        }
        assert_eq!(Status::NoDevice.to_string(), "VKV_ERROR_NO_DEVICE");
        assert_eq!(Status::from_code(299), Status::Other(299));
        assert!(Status::NotSupported.is_unavailable() && Status::Other(299).is_unavailable());
        assert!(!Status::InvalidArgument.is_unavailable() && !Status::Cuda.is_unavailable());
    }
}
