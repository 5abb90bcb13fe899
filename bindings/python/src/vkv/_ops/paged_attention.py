"""paged_attention.

Written by scripts/generate-python-structs from include/vkv.h; do not edit.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _abi
from .._abi import CacheLayout, Nvfp4Scales
from .._operation import Operation, Supported
from .._stream import StreamLike
from .._tensor import TensorLike
from .._workspace import WorkspaceLike

if TYPE_CHECKING:
    from .._context import Context

_OPERATION = Operation("paged_attention", _abi.vkv_paged_attention_params, written=["out", "lse"],
                       options={"cache_layout": CacheLayout, "nvfp4_v_scales": Nvfp4Scales})


def paged_attention(ctx: Context, *, query: TensorLike, out: TensorLike, key_cache: TensorLike,
                    value_cache: TensorLike, lse: TensorLike | None = None, k_scale: TensorLike | None = None,
                    v_scale: TensorLike | None = None, block_table: TensorLike | None = None,
                    seq_lens: TensorLike | None = None, kv_indptr: TensorLike | None = None,
                    kv_indices: TensorLike | None = None, kv_last_page_len: TensorLike | None = None,
                    query_start_loc: TensorLike | None = None, alibi_slopes: TensorLike | None = None,
                    sinks: TensorLike | None = None, softmax_scale: float = 0, logit_softcap: float = 0,
                    sliding_window: int = 0, cache_layout: CacheLayout | int | str = 0,
                    nvfp4_v_scales: Nvfp4Scales | int | str = 0, max_seq_len: int = 0, max_query_len: int = 0,
                    tp_rank: int = 0, blocksparse_local_blocks: int = 0, blocksparse_vert_stride: int = 0,
                    blocksparse_block_size: int = 0, blocksparse_head_sliding_step: int = 0, flags: int = 0,
                    workspace: WorkspaceLike = None, stream: StreamLike = None) -> None:
    r"""Runs attention. Can be captured into a CUDA graph; one CUDA graph stays right for every later content of tables,
    lengths and scales within max_seq_len and max_query_len.

    Attention of query tokens over a paged KV cache: decode, speculative decode and chunked prefill, MHA, GQA and MQA.

    Sequence s has L tokens in the cache (its query tokens included) and q_len query rows. Row r sits at position
    p = L - q_len + r and attends to the positions j with max(0, p - W + 1) <= j <= p, W = sliding_window:

        z_j = softmax_scale * dot(q, k_j)           k_j, v_j dequantised: stored * scale
        z_j = cap * tanh(z_j / cap)                 if logit_softcap = cap is not 0
        z_j = z_j + slope[h] * (j - p)              if alibi_slopes is given
        m   = max over j of z_j, and of sinks[h] if given
        out = sum_j exp(z_j - m) v_j / (sum_j exp(z_j - m) + exp(sinks[h] - m))
        lse = m + log(sum_j exp(z_j - m) + exp(sinks[h] - m))          natural logarithm

    The sink terms are there only if sinks is given. Scores, softmax and sums are float32; the result is rounded once.
    A row that attends to nothing is 0, with lse = -infinity (lse = sinks[h] if given). Query head h reads KV head
    h / (num_heads / num_kv_heads). Rows of out and lse that no sequence owns are left as they are.

    Block-sparse rule (vLLM's; active if blocksparse_vert_stride > 1): a row at position p attends to the cache block
    with first token t only if kb > qb - blocksparse_local_blocks or (kb + off) % blocksparse_vert_stride == 0, where
    bs = blocksparse_block_size, kb = t / bs, qb = p / bs and, with step = blocksparse_head_sliding_step,
    off = (tp_rank * num_heads + h) * step + 1 if step >= 0, else (tp_rank * num_kv_heads + kv_head) * -step + 1.

    Promises: (1) batch-invariant: the bits of a row depend on its own query, KV and length, on head counts, dtypes,
    cache layout, options and the device model, and not on the other sequences, its place among them, max_seq_len,
    block size, which blocks hold it, the table form, the number of threads or the run; (2) one call, no plan: the host
    computes nothing from lengths; (3) memory-safe: block ids, columns and lengths out of range count as absent tokens
    and are reported; (4) bits outside a sequence's valid tokens, stale or NaN, never matter.

    Arguments:
        query: [num_tokens, num_heads, head_dim] f16|bf16|f32; head_dim packed; head_dim a multiple of 8 up to 256, or
            512
        out: as query in shape and dtype; head_dim packed
        lse: absent or [num_tokens, num_heads] f32
        key_cache: see cache_layout; dtype of query, e4m3, e5m2 or nvfp4; num_heads is a multiple of num_kv_heads. nvfp4
            (strided only): see vkv_reshape_and_cache_flash
        value_cache: dtype, block_size and num_kv_heads as key_cache; own strides
        k_scale: absent (= 1), [1] or [num_kv_heads] f32
        v_scale: absent (= 1), [1] or [num_kv_heads] f32
        block_table: padded form: [num_seqs, max_blocks] i32; row stride free. Entries past a sequence's last block are
            never read
        seq_lens: padded form: [num_seqs] i32: L
        kv_indptr: CSR form, in place of block_table and seq_lens: [num_seqs + 1] i32
        kv_indices: CSR form: [num_indices] i32: blocks of s are kv_indices[kv_indptr[s] .. [s + 1])
        kv_last_page_len: CSR form: [num_seqs] i32: tokens in the last block of s, 1 .. block_size
        query_start_loc: absent (one query token a sequence, num_tokens = num_seqs) or [num_seqs + 1] i32: s owns query
            rows [query_start_loc[s], query_start_loc[s + 1])
        alibi_slopes: absent or [num_heads] f32
        sinks: absent or [num_heads] f32
        softmax_scale: 0 = 1 / sqrt(head_dim)
        logit_softcap: 0 = off; must not be negative
        sliding_window: W, the row's own token included; 0 = whole context
        cache_layout: VKV_CACHE_LAYOUT_*; 0 = strided
        nvfp4_v_scales: VKV_NVFP4_SCALES_*; 0 = linear; nvfp4 caches only
        max_seq_len: upper bound of L, for workspace and grid; a longer L is clamped to it and reported; 0 = what the
            table can hold
        max_query_len: upper bound of q_len, likewise; 0 = 1 without query_start_loc, else num_tokens
        tp_rank: block-sparse rule
        blocksparse_local_blocks: block-sparse rule
        blocksparse_vert_stride: 0 or 1 = rule off
        blocksparse_block_size: 0 = 64
        blocksparse_head_sliding_step: block-sparse rule
        workspace: see vkv.Context
        flags: no flags yet
        stream: see vkv.Context
    """
    return _OPERATION.run(**locals())


def paged_attention_supported(ctx: Context, *, query: TensorLike, out: TensorLike, key_cache: TensorLike,
                              value_cache: TensorLike, lse: TensorLike | None = None,
                              k_scale: TensorLike | None = None, v_scale: TensorLike | None = None,
                              block_table: TensorLike | None = None, seq_lens: TensorLike | None = None,
                              kv_indptr: TensorLike | None = None, kv_indices: TensorLike | None = None,
                              kv_last_page_len: TensorLike | None = None, query_start_loc: TensorLike | None = None,
                              alibi_slopes: TensorLike | None = None, sinks: TensorLike | None = None,
                              softmax_scale: float = 0, logit_softcap: float = 0, sliding_window: int = 0,
                              cache_layout: CacheLayout | int | str = 0,
                              nvfp4_v_scales: Nvfp4Scales | int | str = 0, max_seq_len: int = 0,
                              max_query_len: int = 0, tp_rank: int = 0, blocksparse_local_blocks: int = 0,
                              blocksparse_vert_stride: int = 0, blocksparse_block_size: int = 0,
                              blocksparse_head_sliding_step: int = 0, flags: int = 0) -> Supported:
    """Whether paged_attention would take this request here, and if not, why. Tensors may be vkv.spec."""
    return _OPERATION.supported(**locals())


def paged_attention_workspace_size(ctx: Context, *, query: TensorLike, out: TensorLike, key_cache: TensorLike,
                                   value_cache: TensorLike, lse: TensorLike | None = None,
                                   k_scale: TensorLike | None = None, v_scale: TensorLike | None = None,
                                   block_table: TensorLike | None = None, seq_lens: TensorLike | None = None,
                                   kv_indptr: TensorLike | None = None, kv_indices: TensorLike | None = None,
                                   kv_last_page_len: TensorLike | None = None,
                                   query_start_loc: TensorLike | None = None,
                                   alibi_slopes: TensorLike | None = None, sinks: TensorLike | None = None,
                                   softmax_scale: float = 0, logit_softcap: float = 0, sliding_window: int = 0,
                                   cache_layout: CacheLayout | int | str = 0,
                                   nvfp4_v_scales: Nvfp4Scales | int | str = 0, max_seq_len: int = 0,
                                   max_query_len: int = 0, tp_rank: int = 0, blocksparse_local_blocks: int = 0,
                                   blocksparse_vert_stride: int = 0, blocksparse_block_size: int = 0,
                                   blocksparse_head_sliding_step: int = 0, flags: int = 0) -> int:
    """Bytes of workspace that paged_attention needs for these shapes and bounds. Tensors may be vkv.spec."""
    return _OPERATION.workspace_size(**locals())
