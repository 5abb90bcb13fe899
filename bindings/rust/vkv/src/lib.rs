//! Paged attention and KV-cache operations, on CUDA and on the CPU: the safe binding of libvkv.
//!
//! A [`Context`] runs operations. An operation is a struct with the field names of the C interface: tensors, options,
//! and `..Default::default()` for what it does without, later versions' fields included. Here three tokens are written
//! into a cache of four blocks and attended:
//!
//! ```
//! use vkv::{Backend, Context, PagedAttention, ReshapeAndCacheFlash, Stream, Tensor, TensorMut, Workspace};
//!
//! let keys: Vec<f32> = (0..3 * 64).map(|i| (i % 7) as f32).collect(); // 3 tokens, 1 head, 64 dims
//! let values: Vec<f32> = (0..3 * 64).map(|i| (i / 64 + 1) as f32).collect();
//! let (mut k_cache, mut v_cache) = (vec![0f32; 4 * 16 * 64], vec![0f32; 4 * 16 * 64]);
//!
//! let context = Context::new(Backend::Cpu)?;
//! let mut write = ReshapeAndCacheFlash {
//!     key: Tensor::new(&keys, &[3, 1, 64])?,
//!     value: Tensor::new(&values, &[3, 1, 64])?,
//!     key_cache: TensorMut::new(&mut k_cache, &[4, 16, 1, 64])?,
//!     value_cache: TensorMut::new(&mut v_cache, &[4, 16, 1, 64])?,
//!     slot_mapping: Tensor::from(&[32i64, 33, 34]), // into block 2
//!     ..Default::default()
//! };
//! context.run(&mut write, Stream::DEFAULT)?;
//!
//! let mut out = [0f32; 64];
//! let mut attend = PagedAttention {
//!     query: Tensor::new(&[0f32; 64], &[1, 1, 64])?, // zeros: every token weighs the same
//!     out: TensorMut::new(&mut out, &[1, 1, 64])?,
//!     key_cache: Tensor::new(&k_cache, &[4, 16, 1, 64])?,
//!     value_cache: Tensor::new(&v_cache, &[4, 16, 1, 64])?,
//!     block_table: Tensor::new(&[2i32], &[1, 1])?,
//!     seq_lens: Tensor::from(&[3i32]),
//!     ..Default::default()
//! };
//! let mut workspace = Workspace::new(context.workspace_size(&attend)?);
//! attend.workspace = workspace.view();
//! context.run(&mut attend, Stream::DEFAULT)?;
//! assert_eq!(out[0], 2.0); // the mean of 1, 2 and 3
//! # Ok::<(), vkv::Error>(())
//! ```
//!
//! # Safety
//!
//! - Views of slices ([`Tensor::new`], [`TensorMut::new`]) borrow them and are bounds-checked; operations on them run
//!   on the CPU backend, are done on return, and need no `unsafe`.
//! - A CUDA context refuses views of slices wherever its kernels would reach them. Device memory comes in by
//!   [`Tensor::from_raw`] and [`TensorMut::from_raw`], which are `unsafe`: their contract covers that the work is still
//!   running when [`Context::run`] returns.
//! - Numbers in tensors (slots, block ids, lengths) need no trust: what is out of range is skipped and found in
//!   [`Context::read_device_report`].
//! - Two operations take addresses as numbers and run by [`Context::run_unchecked`] alone.
//!
//! # Threads
//!
//! [`Context`] is `Send` and `Sync`. The message of an [`Error`] is fetched on the calling thread before the call
//! returns.
#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]

mod context;
mod dtype;
mod error;
mod layout;
mod operation;
mod ops;
mod options;
mod report;
mod stream;
mod tensor;
mod view;
mod workspace;

pub use context::{Backend, Context, ContextInfo, ContextOptions};
pub use dtype::{Dtype, Element, Storage};
pub use error::{Error, Result, Status};
pub use layout::{Layout, MAX_DIMS};
pub use operation::{AttentionOperation, Operation, ViewOperation};
pub use ops::*;
pub use options::{CacheLayout, Nvfp4Scales, RopeStyle, ScaleRule};
pub use report::{DeviceReport, Op, ReportKind};
pub use stream::Stream;
pub use tensor::{Tensor, TensorMut};
pub use workspace::{Workspace, WorkspaceView};

/// Version of the library at run time: major * 1000000 + minor * 1000 + patch.
pub fn version() -> u32 {
    unsafe { vkv_sys::vkv_version() }
}

/// One line about the library's build: version, backends, GPU architectures, toolkit, compiler.
pub fn build_info() -> String {
    error::text(unsafe { vkv_sys::vkv_build_info() })
}
