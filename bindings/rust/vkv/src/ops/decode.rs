//! vLLM's two decode entry points: its parameters, x-packed caches, one query token a sequence. Both give the same
//! bits.
use vkv_sys as sys;

use crate::error::Result;
use crate::operation::{size_of, Call, Fields, Run, ScratchCall, Supported, ViewOperation, WorkspaceSize};
use crate::tensor::{Tensor, TensorMut};
use crate::workspace::WorkspaceView;

/// vLLM's `paged_attention_v1`.
#[derive(Debug, Default)]
pub struct PagedAttentionV1<'a> {
    /// `[num_seqs, num_heads, head_dim]`, dtype of `query`; head_dim packed.
    pub out: TensorMut<'a>,
    /// `[num_seqs, num_heads, head_dim]` f16, bf16 or f32; head_dim packed.
    pub query: Tensor<'a>,
    /// `[num_blocks, num_kv_heads, head_dim / x, block_size, x]`, x = 16 / element bytes; dtype of `query`, e4m3 or
    /// e5m2.
    pub key_cache: Tensor<'a>,
    /// `[num_blocks, num_kv_heads, head_dim, block_size]`; dtype of `key_cache`, own strides.
    pub value_cache: Tensor<'a>,
    /// Absent (1) or `[1]` f32.
    pub k_scale: Tensor<'a>,
    /// As `k_scale`.
    pub v_scale: Tensor<'a>,
    /// `[num_seqs, max_num_blocks_per_seq]` i32; row stride free.
    pub block_tables: Tensor<'a>,
    /// `[num_seqs]` i32.
    pub seq_lens: Tensor<'a>,
    /// Absent or `[num_heads]` f32.
    pub alibi_slopes: Tensor<'a>,
    /// vLLM's `scale`; 0: 1 / sqrt(head_dim).
    pub softmax_scale: f32,
    /// 0: as `key_cache` says; else must agree with it.
    pub num_kv_heads: i32,
    /// 0: as `key_cache` says; else must agree with it.
    pub block_size: i32,
    /// As in [`PagedAttention`](crate::PagedAttention).
    pub max_seq_len: i32,
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

impl Call for PagedAttentionV1<'_> {
    type Raw = sys::vkv_paged_attention_v1_params;
    const NAME: &'static str = "vkv_paged_attention_v1";
    const RUN: Run<Self::Raw> = sys::vkv_paged_attention_v1;
    const SUPPORTED: Supported<Self::Raw> = sys::vkv_paged_attention_v1_supported;

    fn raw(&self, fields: &Fields) -> Result<Self::Raw> {
        Ok(sys::vkv_paged_attention_v1_params {
            struct_size: size_of::<Self::Raw>(),
            flags: 0,
            out: fields.device("out", &self.out)?,
            query: fields.device("query", &self.query)?,
            key_cache: fields.device("key_cache", &self.key_cache)?,
            value_cache: fields.device("value_cache", &self.value_cache)?,
            k_scale: fields.device("k_scale", &self.k_scale)?,
            v_scale: fields.device("v_scale", &self.v_scale)?,
            block_tables: fields.device("block_tables", &self.block_tables)?,
            seq_lens: fields.device("seq_lens", &self.seq_lens)?,
            alibi_slopes: fields.device("alibi_slopes", &self.alibi_slopes)?,
            softmax_scale: self.softmax_scale,
            num_kv_heads: self.num_kv_heads,
            block_size: self.block_size,
            max_seq_len: self.max_seq_len,
            tp_rank: self.tp_rank,
            blocksparse_local_blocks: self.blocksparse_local_blocks,
            blocksparse_vert_stride: self.blocksparse_vert_stride,
            blocksparse_block_size: self.blocksparse_block_size,
            blocksparse_head_sliding_step: self.blocksparse_head_sliding_step,
            reserved0: 0,
            workspace: fields.workspace(&self.workspace)?,
            workspace_size: self.workspace.size,
        })
    }
}

impl ScratchCall for PagedAttentionV1<'_> {
    const WORKSPACE_SIZE: WorkspaceSize<Self::Raw> = sys::vkv_paged_attention_v1_workspace_size;
}

impl ViewOperation for PagedAttentionV1<'_> {}

/// vLLM's `paged_attention_v2`.
#[derive(Debug, Default)]
pub struct PagedAttentionV2<'a> {
    /// `[num_seqs, num_heads, head_dim]`, dtype of `query`; head_dim packed.
    pub out: TensorMut<'a>,
    /// `[num_seqs, num_heads, head_dim]` f16, bf16 or f32; head_dim packed.
    pub query: Tensor<'a>,
    /// `[num_blocks, num_kv_heads, head_dim / x, block_size, x]`, x = 16 / element bytes; dtype of `query`, e4m3 or
    /// e5m2.
    pub key_cache: Tensor<'a>,
    /// `[num_blocks, num_kv_heads, head_dim, block_size]`; dtype of `key_cache`, own strides.
    pub value_cache: Tensor<'a>,
    /// Absent (1) or `[1]` f32.
    pub k_scale: Tensor<'a>,
    /// As `k_scale`.
    pub v_scale: Tensor<'a>,
    /// `[num_seqs, max_num_blocks_per_seq]` i32; row stride free.
    pub block_tables: Tensor<'a>,
    /// `[num_seqs]` i32.
    pub seq_lens: Tensor<'a>,
    /// Absent or `[num_heads]` f32.
    pub alibi_slopes: Tensor<'a>,
    /// Absent or `[num_seqs, num_heads, max_num_partitions]` f32. These three are scratch in vLLM; here they are not
    /// needed, and what they hold afterwards is unspecified.
    pub exp_sums: TensorMut<'a>,
    /// As `exp_sums`.
    pub max_logits: TensorMut<'a>,
    /// Absent or `[num_seqs, num_heads, max_num_partitions, head_dim]`, dtype of `query`.
    pub tmp_out: TensorMut<'a>,
    /// vLLM's `scale`; 0: 1 / sqrt(head_dim).
    pub softmax_scale: f32,
    /// 0: as `key_cache` says; else must agree with it.
    pub num_kv_heads: i32,
    /// 0: as `key_cache` says; else must agree with it.
    pub block_size: i32,
    /// As in [`PagedAttention`](crate::PagedAttention).
    pub max_seq_len: i32,
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

impl Call for PagedAttentionV2<'_> {
    type Raw = sys::vkv_paged_attention_v2_params;
    const NAME: &'static str = "vkv_paged_attention_v2";
    const RUN: Run<Self::Raw> = sys::vkv_paged_attention_v2;
    const SUPPORTED: Supported<Self::Raw> = sys::vkv_paged_attention_v2_supported;

    fn raw(&self, fields: &Fields) -> Result<Self::Raw> {
        Ok(sys::vkv_paged_attention_v2_params {
            struct_size: size_of::<Self::Raw>(),
            flags: 0,
            out: fields.device("out", &self.out)?,
            query: fields.device("query", &self.query)?,
            key_cache: fields.device("key_cache", &self.key_cache)?,
            value_cache: fields.device("value_cache", &self.value_cache)?,
            k_scale: fields.device("k_scale", &self.k_scale)?,
            v_scale: fields.device("v_scale", &self.v_scale)?,
            block_tables: fields.device("block_tables", &self.block_tables)?,
            seq_lens: fields.device("seq_lens", &self.seq_lens)?,
            alibi_slopes: fields.device("alibi_slopes", &self.alibi_slopes)?,
            exp_sums: fields.device("exp_sums", &self.exp_sums)?,
            max_logits: fields.device("max_logits", &self.max_logits)?,
            tmp_out: fields.device("tmp_out", &self.tmp_out)?,
            softmax_scale: self.softmax_scale,
            num_kv_heads: self.num_kv_heads,
            block_size: self.block_size,
            max_seq_len: self.max_seq_len,
            tp_rank: self.tp_rank,
            blocksparse_local_blocks: self.blocksparse_local_blocks,
            blocksparse_vert_stride: self.blocksparse_vert_stride,
            blocksparse_block_size: self.blocksparse_block_size,
            blocksparse_head_sliding_step: self.blocksparse_head_sliding_step,
            reserved0: 0,
            workspace: fields.workspace(&self.workspace)?,
            workspace_size: self.workspace.size,
        })
    }
}

impl ScratchCall for PagedAttentionV2<'_> {
    const WORKSPACE_SIZE: WorkspaceSize<Self::Raw> = sys::vkv_paged_attention_v2_workspace_size;
}

impl ViewOperation for PagedAttentionV2<'_> {}
