"""gather_and_maybe_dequant_cache.

Written by scripts/generate-python-structs from include/vkv.h; do not edit.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _abi
from .._operation import Operation, Supported
from .._stream import StreamLike
from .._tensor import TensorLike

if TYPE_CHECKING:
    from .._context import Context

_OPERATION = Operation("gather_and_maybe_dequant_cache", _abi.vkv_gather_and_maybe_dequant_cache_params,
                       written=["dst"])


def gather_and_maybe_dequant_cache(ctx: Context, *, src_cache: TensorLike, dst: TensorLike, block_table: TensorLike,
                                   cu_seq_lens: TensorLike, seq_starts: TensorLike | None = None,
                                   scale: TensorLike | None = None, num_tokens: int = 0, flags: int = 0,
                                   stream: StreamLike = None) -> None:
    r"""Gathers. Can be captured into a CUDA graph.

    Gathers the cached entries of ragged sequences into a dense buffer. Row i of dst with cu_seq_lens[r] <= i <
    cu_seq_lens[r + 1] is token position pos = i - cu_seq_lens[r] + seq_starts[r] of sequence r:

        dst[i, :] = src_cache[block_table[r, pos / block_size], pos % block_size, :]       * scale if src_cache is fp8

    Rows that no sequence owns are left as they are; a row whose column or block id is out of range becomes 0 and is
    reported.
    (vLLM's token_to_seq is not needed: ownership follows from cu_seq_lens.)

    Arguments:
        src_cache: [num_blocks, block_size, entry] dtype of dst, e4m3 or e5m2; entry packed
        dst: [>= num_tokens, entry] f16|bf16|f32; entry packed
        block_table: [batch, max_blocks] i32; row stride free
        cu_seq_lens: [batch + 1] i32, not decreasing
        seq_starts: absent (= 0) or [batch] i32: first token position of each sequence
        scale: absent (= 1) or [1] f32; not read where bits are copied
        num_tokens: rows of dst to consider; 0 = all of them
        flags: no flags yet
        stream: see vkv.Context
    """
    return _OPERATION.run(**locals())


def gather_and_maybe_dequant_cache_supported(ctx: Context, *, src_cache: TensorLike, dst: TensorLike,
                                             block_table: TensorLike, cu_seq_lens: TensorLike,
                                             seq_starts: TensorLike | None = None, scale: TensorLike | None = None,
                                             num_tokens: int = 0, flags: int = 0) -> Supported:
    """Whether gather_and_maybe_dequant_cache would take this request here, and if not, why. Tensors may be vkv.spec."""
    return _OPERATION.supported(**locals())
