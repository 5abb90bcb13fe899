//! Copying blocks: between pools, between raw ranges, and inside all layers' caches.
use vkv_sys as sys;

use crate::error::Result;
use crate::operation::{size_of, Call, Fields, Run, Supported, ViewOperation};
use crate::tensor::{Tensor, TensorMut};

/// Copies blocks between two pools. On CUDA either may be device or host memory, at least one of them device memory;
/// host memory must then stay valid until the stream has passed the copies (`from_raw`). Block ids are checked before
/// anything is copied.
///
/// Source and destination may be one pool: [`TensorMut::alias`](crate::TensorMut::alias).
#[derive(Debug, Default)]
pub struct SwapBlocks<'a> {
    /// `[num_src_blocks, ...]`, any dtype; packed after the first dimension.
    pub src: Tensor<'a>,
    /// `[num_dst_blocks, ...]`, as many bytes a block as `src`; packed likewise.
    pub dst: TensorMut<'a>,
    /// `[num_pairs, 2]` i64, host memory: (block of `src`, block of `dst`).
    pub block_mapping: Tensor<'a>,
    /// CUDA: most multiprocessors that a copy kernel may occupy; 0: the library's choice.
    pub max_sms: i32,
}

impl Call for SwapBlocks<'_> {
    type Raw = sys::vkv_swap_blocks_params;
    const NAME: &'static str = "vkv_swap_blocks";
    const RUN: Run<Self::Raw> = sys::vkv_swap_blocks;
    const SUPPORTED: Supported<Self::Raw> = sys::vkv_swap_blocks_supported;

    fn raw(&self, fields: &Fields) -> Result<Self::Raw> {
        Ok(sys::vkv_swap_blocks_params {
            struct_size: size_of::<Self::Raw>(),
            flags: 0,
            src: fields.device("src", &self.src)?,
            dst: fields.device("dst", &self.dst)?,
            block_mapping: fields.host(&self.block_mapping),
            max_sms: self.max_sms,
            reserved0: 0,
        })
    }
}

impl ViewOperation for SwapBlocks<'_> {}

/// Independent copies of `sizes[i]` bytes from address `src_ptrs[i]` to address `dst_ptrs[i]`. Addresses are numbers
/// that no one can check, hence [`run_unchecked`](crate::Context::run_unchecked).
#[derive(Debug, Default)]
pub struct SwapBlocksBatch<'a> {
    /// `[n]` i64, host memory.
    pub src_ptrs: Tensor<'a>,
    /// `[n]` i64, host memory.
    pub dst_ptrs: Tensor<'a>,
    /// `[n]` i64, host memory; 0 copies nothing.
    pub sizes: Tensor<'a>,
    /// As in [`SwapBlocks`].
    pub max_sms: i32,
    /// [`SOURCE_ORDER_ANY`](Self::SOURCE_ORDER_ANY) or 0.
    pub flags: u32,
}

impl SwapBlocksBatch<'_> {
    /// Sources may be read before earlier work on the stream is done.
    pub const SOURCE_ORDER_ANY: u32 = sys::VKV_SWAP_SOURCE_ORDER_ANY;
}

impl Call for SwapBlocksBatch<'_> {
    type Raw = sys::vkv_swap_blocks_batch_params;
    const NAME: &'static str = "vkv_swap_blocks_batch";
    const RUN: Run<Self::Raw> = sys::vkv_swap_blocks_batch;
    const SUPPORTED: Supported<Self::Raw> = sys::vkv_swap_blocks_batch_supported;

    fn raw(&self, fields: &Fields) -> Result<Self::Raw> {
        Ok(sys::vkv_swap_blocks_batch_params {
            struct_size: size_of::<Self::Raw>(),
            flags: self.flags,
            src_ptrs: fields.host(&self.src_ptrs),
            dst_ptrs: fields.host(&self.dst_ptrs),
            sizes: fields.host(&self.sizes),
            max_sms: self.max_sms,
            reserved0: 0,
        })
    }
}

/// Copies blocks inside each of many caches, all layers at once: block j = block i for each row (i, j) of
/// `block_mapping`. Addresses are numbers that no one can check, hence
/// [`run_unchecked`](crate::Context::run_unchecked).
#[derive(Debug, Default)]
pub struct CopyBlocks<'a> {
    /// `[num_layers]` i64, host memory: address of each layer's cache.
    pub key_caches: Tensor<'a>,
    /// Absent or `[num_layers]` i64, host memory: likewise.
    pub value_caches: Tensor<'a>,
    /// `[num_pairs, 2]` i64; ids out of range are skipped and reported.
    pub block_mapping: Tensor<'a>,
    /// Blocks of every cache.
    pub num_blocks: i64,
    /// Bytes copied for a block.
    pub block_size_in_bytes: i64,
    /// From one block to the next; 0: `block_size_in_bytes`.
    pub block_stride_in_bytes: i64,
}

impl Call for CopyBlocks<'_> {
    type Raw = sys::vkv_copy_blocks_params;
    const NAME: &'static str = "vkv_copy_blocks";
    const RUN: Run<Self::Raw> = sys::vkv_copy_blocks;
    const SUPPORTED: Supported<Self::Raw> = sys::vkv_copy_blocks_supported;

    fn raw(&self, fields: &Fields) -> Result<Self::Raw> {
        Ok(sys::vkv_copy_blocks_params {
            struct_size: size_of::<Self::Raw>(),
            flags: 0,
            key_caches: fields.host(&self.key_caches),
            value_caches: fields.host(&self.value_caches),
            block_mapping: fields.device("block_mapping", &self.block_mapping)?,
            num_blocks: self.num_blocks,
            block_size_in_bytes: self.block_size_in_bytes,
            block_stride_in_bytes: self.block_stride_in_bytes,
        })
    }
}
