//! Attention of query tokens over a paged cache.
use vkv_sys as sys;

use crate::error::Result;
use crate::operation::{size_of, Call, Fields, Run, ScratchCall, Supported, ViewOperation, WorkspaceSize};
use crate::options::{CacheLayout, Nvfp4Scales};
use crate::tensor::{Tensor, TensorMut};
use crate::workspace::WorkspaceView;

/// Attention over a paged KV cache: decode, speculative decode and chunked prefill, MHA, GQA and MQA.
///
/// Block lists come in one of two forms: padded (`block_table`, `seq_lens`) or CSR (`kv_indptr`, `kv_indices`,
/// `kv_last_page_len`). The formula and the promises are in `vkv.h`.
#[derive(Debug, Default)]
pub struct PagedAttention<'a> {
    /// `[num_tokens, num_heads, head_dim]` f16, bf16 or f32; head_dim packed, a multiple of 8 up to 256, or 512.
    pub query: Tensor<'a>,
    /// As `query` in shape and dtype; head_dim packed.
    pub out: TensorMut<'a>,
    /// Absent or `[num_tokens, num_heads]` f32: the log-sum-exp of each row, natural logarithm.
    pub lse: TensorMut<'a>,
    /// As `cache_layout` says; dtype of `query`, e4m3, e5m2 or nvfp4 (strided only).
    pub key_cache: Tensor<'a>,
    /// Dtype, block_size and num_kv_heads as `key_cache`; own strides.
    pub value_cache: Tensor<'a>,
    /// Absent (1), `[1]` or `[num_kv_heads]` f32.
    pub k_scale: Tensor<'a>,
    /// As `k_scale`.
    pub v_scale: Tensor<'a>,
    /// Padded form: `[num_seqs, max_blocks]` i32; row stride free.
    pub block_table: Tensor<'a>,
    /// Padded form: `[num_seqs]` i32: tokens in the cache, query tokens included.
    pub seq_lens: Tensor<'a>,
    /// CSR form: `[num_seqs + 1]` i32.
    pub kv_indptr: Tensor<'a>,
    /// CSR form: `[num_indices]` i32; sequence s has the blocks from `kv_indptr[s]` to `kv_indptr[s + 1]`.
    pub kv_indices: Tensor<'a>,
    /// CSR form: `[num_seqs]` i32: tokens in the last block, 1 to block_size.
    pub kv_last_page_len: Tensor<'a>,
    /// Absent (one query token a sequence) or `[num_seqs + 1]` i32: first query row of each sequence.
    pub query_start_loc: Tensor<'a>,
    /// Absent or `[num_heads]` f32.
    pub alibi_slopes: Tensor<'a>,
    /// Absent or `[num_heads]` f32.
    pub sinks: Tensor<'a>,
    /// 0: 1 / sqrt(head_dim).
    pub softmax_scale: f32,
    /// 0: off; must not be negative.
    pub logit_softcap: f32,
    /// Positions that a row attends to, its own included; 0: whole context.
    pub sliding_window: i32,
    /// How the caches are shaped.
    pub cache_layout: CacheLayout,
    /// NVFP4 caches only.
    pub nvfp4_v_scales: Nvfp4Scales,
    /// Upper bound of a sequence's length, for workspace and grid; a longer one is clamped and reported. 0: what the
    /// table can hold.
    pub max_seq_len: i32,
    /// Upper bound of a sequence's query rows, likewise. 0: 1 without `query_start_loc`, else num_tokens.
    pub max_query_len: i32,
    /// Block-sparse rule.
    pub tp_rank: i32,
    /// Block-sparse rule.
    pub blocksparse_local_blocks: i32,
    /// Block-sparse rule; 0 or 1: off.
    pub blocksparse_vert_stride: i32,
    /// Block-sparse rule; 0: 64.
    pub blocksparse_block_size: i32,
    /// Block-sparse rule.
    pub blocksparse_head_sliding_step: i32,
    /// Scratch memory of [`workspace_size`](crate::Context::workspace_size) bytes.
    pub workspace: WorkspaceView<'a>,
}

impl Call for PagedAttention<'_> {
    type Raw = sys::vkv_paged_attention_params;
    const NAME: &'static str = "vkv_paged_attention";
    const RUN: Run<Self::Raw> = sys::vkv_paged_attention;
    const SUPPORTED: Supported<Self::Raw> = sys::vkv_paged_attention_supported;

    fn raw(&self, fields: &Fields) -> Result<Self::Raw> {
        Ok(sys::vkv_paged_attention_params {
            struct_size: size_of::<Self::Raw>(),
            flags: 0,
            query: fields.device("query", &self.query)?,
            out: fields.device("out", &self.out)?,
            lse: fields.device("lse", &self.lse)?,
            key_cache: fields.device("key_cache", &self.key_cache)?,
            value_cache: fields.device("value_cache", &self.value_cache)?,
            k_scale: fields.device("k_scale", &self.k_scale)?,
            v_scale: fields.device("v_scale", &self.v_scale)?,
            block_table: fields.device("block_table", &self.block_table)?,
            seq_lens: fields.device("seq_lens", &self.seq_lens)?,
            kv_indptr: fields.device("kv_indptr", &self.kv_indptr)?,
            kv_indices: fields.device("kv_indices", &self.kv_indices)?,
            kv_last_page_len: fields.device("kv_last_page_len", &self.kv_last_page_len)?,
            query_start_loc: fields.device("query_start_loc", &self.query_start_loc)?,
            alibi_slopes: fields.device("alibi_slopes", &self.alibi_slopes)?,
            sinks: fields.device("sinks", &self.sinks)?,
            softmax_scale: self.softmax_scale,
            logit_softcap: self.logit_softcap,
            sliding_window: self.sliding_window,
            cache_layout: self.cache_layout.0,
            nvfp4_v_scales: self.nvfp4_v_scales.0,
            max_seq_len: self.max_seq_len,
            max_query_len: self.max_query_len,
            tp_rank: self.tp_rank,
            blocksparse_local_blocks: self.blocksparse_local_blocks,
            blocksparse_vert_stride: self.blocksparse_vert_stride,
            blocksparse_block_size: self.blocksparse_block_size,
            blocksparse_head_sliding_step: self.blocksparse_head_sliding_step,
            workspace: fields.workspace(&self.workspace)?,
            workspace_size: self.workspace.size,
        })
    }
}

impl ScratchCall for PagedAttention<'_> {
    const WORKSPACE_SIZE: WorkspaceSize<Self::Raw> = sys::vkv_paged_attention_workspace_size;
}

impl ViewOperation for PagedAttention<'_> {}
