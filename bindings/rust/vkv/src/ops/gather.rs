//! Gathering the cached entries of ragged sequences into dense rows.
use vkv_sys as sys;

use crate::error::Result;
use crate::operation::{size_of, Call, Fields, Run, Supported, ViewOperation};
use crate::tensor::{Tensor, TensorMut};

/// Gathers entries, widened by `scale` if the cache is narrow. Rows that no sequence owns are left as they are; a row
/// whose block is out of range becomes 0 and is reported.
#[derive(Debug, Default)]
pub struct GatherAndMaybeDequantCache<'a> {
    /// `[num_blocks, block_size, entry]`, dtype of `dst`, e4m3 or e5m2; entry packed.
    pub src_cache: Tensor<'a>,
    /// `[>= num_tokens, entry]` f16, bf16 or f32; entry packed.
    pub dst: TensorMut<'a>,
    /// `[batch, max_blocks]` i32; row stride free.
    pub block_table: Tensor<'a>,
    /// `[batch + 1]` i32, not decreasing: first row of each sequence.
    pub cu_seq_lens: Tensor<'a>,
    /// Absent (0) or `[batch]` i32: first token position of each sequence.
    pub seq_starts: Tensor<'a>,
    /// Absent (1) or `[1]` f32.
    pub scale: Tensor<'a>,
    /// Rows of `dst` to consider; 0: all.
    pub num_tokens: i64,
}

impl Call for GatherAndMaybeDequantCache<'_> {
    type Raw = sys::vkv_gather_and_maybe_dequant_cache_params;
    const NAME: &'static str = "vkv_gather_and_maybe_dequant_cache";
    const RUN: Run<Self::Raw> = sys::vkv_gather_and_maybe_dequant_cache;
    const SUPPORTED: Supported<Self::Raw> = sys::vkv_gather_and_maybe_dequant_cache_supported;

    fn raw(&self, fields: &Fields) -> Result<Self::Raw> {
        Ok(sys::vkv_gather_and_maybe_dequant_cache_params {
            struct_size: size_of::<Self::Raw>(),
            flags: 0,
            src_cache: fields.device("src_cache", &self.src_cache)?,
            dst: fields.device("dst", &self.dst)?,
            block_table: fields.device("block_table", &self.block_table)?,
            cu_seq_lens: fields.device("cu_seq_lens", &self.cu_seq_lens)?,
            seq_starts: fields.device("seq_starts", &self.seq_starts)?,
            scale: fields.device("scale", &self.scale)?,
            num_tokens: self.num_tokens,
        })
    }
}

impl ViewOperation for GatherAndMaybeDequantCache<'_> {}

/// The same gather as a plain copy of bytes, for every dtype and entry size.
#[derive(Debug, Default)]
pub struct CpGatherCache<'a> {
    /// `[num_blocks, block_size, ...]`; packed after the second dimension; any dtype but nvfp4.
    pub src_cache: Tensor<'a>,
    /// `[rows, ...]`, dtype of `src_cache` and as many elements a row; packed after the first dimension.
    pub dst: TensorMut<'a>,
    /// `[batch, max_blocks]` i32; row stride free.
    pub block_table: Tensor<'a>,
    /// `[batch + 1]` i32, not decreasing: first row of each sequence.
    pub cu_seq_lens: Tensor<'a>,
    /// Absent (0) or `[batch]` i32: first token position of each sequence.
    pub seq_starts: Tensor<'a>,
}

impl Call for CpGatherCache<'_> {
    type Raw = sys::vkv_cp_gather_cache_params;
    const NAME: &'static str = "vkv_cp_gather_cache";
    const RUN: Run<Self::Raw> = sys::vkv_cp_gather_cache;
    const SUPPORTED: Supported<Self::Raw> = sys::vkv_cp_gather_cache_supported;

    fn raw(&self, fields: &Fields) -> Result<Self::Raw> {
        Ok(sys::vkv_cp_gather_cache_params {
            struct_size: size_of::<Self::Raw>(),
            flags: 0,
            src_cache: fields.device("src_cache", &self.src_cache)?,
            dst: fields.device("dst", &self.dst)?,
            block_table: fields.device("block_table", &self.block_table)?,
            cu_seq_lens: fields.device("cu_seq_lens", &self.cu_seq_lens)?,
            seq_starts: fields.device("seq_starts", &self.seq_starts)?,
        })
    }
}

impl ViewOperation for CpGatherCache<'_> {}

/// Gathers fp8_ds_mla entries and widens them. Row i belongs to the last sequence whose start is not above i; the last
/// sequence runs to the end of `dst`.
#[derive(Debug, Default)]
pub struct CpGatherAndUpconvertFp8KvCache<'a> {
    /// `[num_blocks, block_size, 656]` fp8_ds_mla; 4-byte aligned in data and strides.
    pub src_cache: Tensor<'a>,
    /// `[rows, 576]` f16 or bf16, the dtype that the entries were written from; packed rows.
    pub dst: TensorMut<'a>,
    /// `[batch, max_blocks]` i32; row stride free.
    pub block_table: Tensor<'a>,
    /// `[batch]` i32, not decreasing: first row of each sequence.
    pub workspace_starts: Tensor<'a>,
    /// Absent (0) or `[batch]` i32: first token position of each sequence.
    pub seq_starts: Tensor<'a>,
}

impl Call for CpGatherAndUpconvertFp8KvCache<'_> {
    type Raw = sys::vkv_cp_gather_and_upconvert_fp8_kv_cache_params;
    const NAME: &'static str = "vkv_cp_gather_and_upconvert_fp8_kv_cache";
    const RUN: Run<Self::Raw> = sys::vkv_cp_gather_and_upconvert_fp8_kv_cache;
    const SUPPORTED: Supported<Self::Raw> = sys::vkv_cp_gather_and_upconvert_fp8_kv_cache_supported;

    fn raw(&self, fields: &Fields) -> Result<Self::Raw> {
        Ok(sys::vkv_cp_gather_and_upconvert_fp8_kv_cache_params {
            struct_size: size_of::<Self::Raw>(),
            flags: 0,
            src_cache: fields.device("src_cache", &self.src_cache)?,
            dst: fields.device("dst", &self.dst)?,
            block_table: fields.device("block_table", &self.block_table)?,
            workspace_starts: fields.device("workspace_starts", &self.workspace_starts)?,
            seq_starts: fields.device("seq_starts", &self.seq_starts)?,
        })
    }
}

impl ViewOperation for CpGatherAndUpconvertFp8KvCache<'_> {}
