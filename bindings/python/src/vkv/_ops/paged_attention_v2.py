"""paged_attention_v2.

Written by scripts/generate-python-structs from include/vkv.h; do not edit.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _abi
from .._operation import Operation, Supported
from .._stream import StreamLike
from .._tensor import TensorLike
from .._workspace import WorkspaceLike

if TYPE_CHECKING:
    from .._context import Context

_OPERATION = Operation("paged_attention_v2", _abi.vkv_paged_attention_v2_params, written=["out", "exp_sums",
                       "max_logits", "tmp_out"])


def paged_attention_v2(ctx: Context, *, out: TensorLike, query: TensorLike, key_cache: TensorLike,
                       value_cache: TensorLike, block_tables: TensorLike, seq_lens: TensorLike,
                       k_scale: TensorLike | None = None, v_scale: TensorLike | None = None,
                       alibi_slopes: TensorLike | None = None, exp_sums: TensorLike | None = None,
                       max_logits: TensorLike | None = None, tmp_out: TensorLike | None = None,
                       softmax_scale: float = 0, num_kv_heads: int = 0, block_size: int = 0, max_seq_len: int = 0,
                       tp_rank: int = 0, blocksparse_local_blocks: int = 0, blocksparse_vert_stride: int = 0,
                       blocksparse_block_size: int = 0, blocksparse_head_sliding_step: int = 0, flags: int = 0,
                       workspace: WorkspaceLike = None, stream: StreamLike = None) -> None:
    r"""Runs attention. Can be captured into a CUDA graph.

    vLLM's two decode entry points, with vLLM's parameters and x-packed caches: the formula of vkv_paged_attention for
    one query token a sequence. Both give the same bits. There is no limit on max_seq_len in v1 and no minimum in v2.

    Arguments:
        out: [num_seqs, num_heads, head_dim], dtype of query; head_dim packed
        query: [num_seqs, num_heads, head_dim] f16|bf16|f32; head_dim packed
        key_cache: [num_blocks, num_kv_heads, head_dim / x, block_size, x] dtype of query, e4m3, e5m2
        value_cache: [num_blocks, num_kv_heads, head_dim, block_size] dtype of key_cache; own strides
        k_scale: absent (= 1) or [1] f32
        v_scale: absent (= 1) or [1] f32
        block_tables: [num_seqs, max_num_blocks_per_seq] i32; row stride free
        seq_lens: [num_seqs] i32
        alibi_slopes: absent or [num_heads] f32
        exp_sums: absent or [num_seqs, num_heads, max_num_partitions] f32; not needed; what it holds afterwards is
            unspecified
        max_logits: absent or [num_seqs, num_heads, max_num_partitions] f32; not needed; what it holds afterwards is
            unspecified
        tmp_out: absent or [num_seqs, num_heads, max_num_partitions, head_dim] as query; not needed; what it holds
            afterwards is unspecified
        softmax_scale: vLLM's `scale`; 0 = 1 / sqrt(head_dim)
        num_kv_heads: 0 = as key_cache says; else must agree with it
        block_size: 0 = as key_cache says; else must agree with it
        max_seq_len: as in vkv_paged_attention
        tp_rank: block-sparse rule as in vkv_paged_attention
        blocksparse_local_blocks: block-sparse rule
        blocksparse_vert_stride: 0 or 1 = rule off
        blocksparse_block_size: 0 = 64
        blocksparse_head_sliding_step: block-sparse rule
        workspace: see vkv.Context
        flags: no flags yet
        stream: see vkv.Context
    """
    return _OPERATION.run(**locals())


def paged_attention_v2_supported(ctx: Context, *, out: TensorLike, query: TensorLike, key_cache: TensorLike,
                                 value_cache: TensorLike, block_tables: TensorLike, seq_lens: TensorLike,
                                 k_scale: TensorLike | None = None, v_scale: TensorLike | None = None,
                                 alibi_slopes: TensorLike | None = None, exp_sums: TensorLike | None = None,
                                 max_logits: TensorLike | None = None, tmp_out: TensorLike | None = None,
                                 softmax_scale: float = 0, num_kv_heads: int = 0, block_size: int = 0,
                                 max_seq_len: int = 0, tp_rank: int = 0, blocksparse_local_blocks: int = 0,
                                 blocksparse_vert_stride: int = 0, blocksparse_block_size: int = 0,
                                 blocksparse_head_sliding_step: int = 0, flags: int = 0) -> Supported:
    """Whether paged_attention_v2 would take this request here, and if not, why. Tensors may be vkv.spec."""
    return _OPERATION.supported(**locals())


def paged_attention_v2_workspace_size(ctx: Context, *, out: TensorLike, query: TensorLike, key_cache: TensorLike,
                                      value_cache: TensorLike, block_tables: TensorLike, seq_lens: TensorLike,
                                      k_scale: TensorLike | None = None, v_scale: TensorLike | None = None,
                                      alibi_slopes: TensorLike | None = None, exp_sums: TensorLike | None = None,
                                      max_logits: TensorLike | None = None, tmp_out: TensorLike | None = None,
                                      softmax_scale: float = 0, num_kv_heads: int = 0, block_size: int = 0,
                                      max_seq_len: int = 0, tp_rank: int = 0, blocksparse_local_blocks: int = 0,
                                      blocksparse_vert_stride: int = 0, blocksparse_block_size: int = 0,
                                      blocksparse_head_sliding_step: int = 0, flags: int = 0) -> int:
    """Bytes of workspace that paged_attention_v2 needs for these shapes and bounds. Tensors may be vkv.spec."""
    return _OPERATION.workspace_size(**locals())
