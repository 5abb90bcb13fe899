//! The keys of the sparse-attention indexer.
use vkv_sys as sys;

use crate::error::Result;
use crate::operation::{size_of, Call, Fields, Run, Supported, ViewOperation};
use crate::options::ScaleRule;
use crate::tensor::{Tensor, TensorMut};

/// Quantises keys by blocks of `quant_block_size` dims to e4m3 with f32 scales, and writes them. A cache block holds
/// all its codes, then all its scales.
#[derive(Debug, Default)]
pub struct IndexerKQuantAndCache<'a> {
    /// `[>= num_tokens, head_dim]` f16, bf16 or f32; head_dim packed.
    pub k: Tensor<'a>,
    /// `[num_blocks, block_size, head_dim + 4 * head_dim / quant_block_size]` u8; packed inside a block; 4-byte aligned
    /// in data, block stride and scales' offset.
    pub kv_cache: TensorMut<'a>,
    /// `[num_tokens]` i64.
    pub slot_mapping: Tensor<'a>,
    /// Divides head_dim; 0: 128.
    pub quant_block_size: i32,
    /// How a block's scale follows from its magnitude.
    pub scale_rule: ScaleRule,
}

impl Call for IndexerKQuantAndCache<'_> {
    type Raw = sys::vkv_indexer_k_quant_and_cache_params;
    const NAME: &'static str = "vkv_indexer_k_quant_and_cache";
    const RUN: Run<Self::Raw> = sys::vkv_indexer_k_quant_and_cache;
    const SUPPORTED: Supported<Self::Raw> = sys::vkv_indexer_k_quant_and_cache_supported;

    fn raw(&self, fields: &Fields) -> Result<Self::Raw> {
        Ok(sys::vkv_indexer_k_quant_and_cache_params {
            struct_size: size_of::<Self::Raw>(),
            flags: 0,
            k: fields.device("k", &self.k)?,
            kv_cache: fields.device("kv_cache", &self.kv_cache)?,
            slot_mapping: fields.device("slot_mapping", &self.slot_mapping)?,
            quant_block_size: self.quant_block_size,
            scale_rule: self.scale_rule.0,
        })
    }
}

impl ViewOperation for IndexerKQuantAndCache<'_> {}

/// Gathers what [`IndexerKQuantAndCache`](crate::IndexerKQuantAndCache) wrote, without conversion.
#[derive(Debug, Default)]
pub struct CpGatherIndexerKQuantCache<'a> {
    /// As in [`IndexerKQuantAndCache`](crate::IndexerKQuantAndCache).
    pub kv_cache: Tensor<'a>,
    /// `[rows, head_dim]` e4m3; head_dim packed.
    pub dst_k: TensorMut<'a>,
    /// `[rows, head_dim / quant_block_size]` f32; last dimension packed.
    pub dst_scale: TensorMut<'a>,
    /// `[batch, max_blocks]` i32; row stride free.
    pub block_table: Tensor<'a>,
    /// `[batch + 1]` i32, not decreasing: first row of each sequence.
    pub cu_seq_lens: Tensor<'a>,
}

impl Call for CpGatherIndexerKQuantCache<'_> {
    type Raw = sys::vkv_cp_gather_indexer_k_quant_cache_params;
    const NAME: &'static str = "vkv_cp_gather_indexer_k_quant_cache";
    const RUN: Run<Self::Raw> = sys::vkv_cp_gather_indexer_k_quant_cache;
    const SUPPORTED: Supported<Self::Raw> = sys::vkv_cp_gather_indexer_k_quant_cache_supported;

    fn raw(&self, fields: &Fields) -> Result<Self::Raw> {
        Ok(sys::vkv_cp_gather_indexer_k_quant_cache_params {
            struct_size: size_of::<Self::Raw>(),
            flags: 0,
            kv_cache: fields.device("kv_cache", &self.kv_cache)?,
            dst_k: fields.device("dst_k", &self.dst_k)?,
            dst_scale: fields.device("dst_scale", &self.dst_scale)?,
            block_table: fields.device("block_table", &self.block_table)?,
            cu_seq_lens: fields.device("cu_seq_lens", &self.cu_seq_lens)?,
        })
    }
}

impl ViewOperation for CpGatherIndexerKQuantCache<'_> {}
