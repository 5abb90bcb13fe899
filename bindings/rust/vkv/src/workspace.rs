//! Scratch memory of attention.
use std::marker::PhantomData;
use std::os::raw::c_void;

const ALIGNMENT: usize = 256;

#[derive(Clone)]
#[repr(align(256))]
struct Block {
    _bytes: [u8; ALIGNMENT],
}

/// Scratch memory in host memory, for contexts of the CPU backend. Serves one call at a time, any number of times.
pub struct Workspace {
    blocks: Vec<Block>,
}

impl Workspace {
    /// At least `bytes` bytes, aligned as the library asks.
    pub fn new(bytes: usize) -> Self {
        Workspace { blocks: vec![Block { _bytes: [0; ALIGNMENT] }; (bytes + ALIGNMENT - 1) / ALIGNMENT] }
    }

    /// The memory, for an operation's `workspace`.
    pub fn view(&mut self) -> WorkspaceView<'_> {
        let size = self.blocks.len() * ALIGNMENT;
        let data = if size == 0 { std::ptr::null_mut() } else { self.blocks.as_mut_ptr().cast() };
        WorkspaceView { data, size: size as u64, host: true, lifetime: PhantomData }
    }
}

/// Scratch memory that an operation may use; `Default` is none.
#[derive(Debug)]
pub struct WorkspaceView<'a> {
    pub(crate) data: *mut c_void,
    pub(crate) size: u64,
    pub(crate) host: bool,
    lifetime: PhantomData<&'a mut [u8]>,
}

// As a unique reference to bytes.
unsafe impl Send for WorkspaceView<'_> {}
unsafe impl Sync for WorkspaceView<'_> {}

impl WorkspaceView<'_> {
    /// `size` bytes at `data`, 256-byte aligned, in the memory of the context that they are used with.
    ///
    /// # Safety
    /// As for [`TensorMut::from_raw`](crate::TensorMut::from_raw).
    pub unsafe fn from_raw(data: *mut c_void, size: u64) -> Self {
        WorkspaceView { data, size, host: false, lifetime: PhantomData }
    }
}

impl Default for WorkspaceView<'_> {
    fn default() -> Self {
        WorkspaceView { data: std::ptr::null_mut(), size: 0, host: false, lifetime: PhantomData }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_bytes_and_aligned() {
        for bytes in [1, 255, 256, 257] {
            let mut workspace = Workspace::new(bytes);
            let view = workspace.view();
            assert!(view.size >= bytes as u64 && view.data as usize % ALIGNMENT == 0 && !view.data.is_null());
        }
        assert!(Workspace::new(0).view().data.is_null());
    }
}
