"""cp_gather_indexer_k_quant_cache.

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

_OPERATION = Operation("cp_gather_indexer_k_quant_cache", _abi.vkv_cp_gather_indexer_k_quant_cache_params,
                       written=["dst_k", "dst_scale"])


def cp_gather_indexer_k_quant_cache(ctx: Context, *, kv_cache: TensorLike, dst_k: TensorLike, dst_scale: TensorLike,
                                    block_table: TensorLike, cu_seq_lens: TensorLike, flags: int = 0,
                                    stream: StreamLike = None) -> None:
    r"""Gathers. Can be captured into a CUDA graph.

    Gathers what the above wrote, without conversion. Row rules as in vkv_gather_and_maybe_dequant_cache.

    Arguments:
        kv_cache: as in vkv_indexer_k_quant_and_cache
        dst_k: [rows, head_dim] e4m3; head_dim packed
        dst_scale: [rows, head_dim / quant_block_size] f32; last dimension packed
        block_table: [batch, max_blocks] i32; row stride free
        cu_seq_lens: [batch + 1] i32, not decreasing
        flags: no flags yet
        stream: see vkv.Context
    """
    return _OPERATION.run(**locals())


def cp_gather_indexer_k_quant_cache_supported(ctx: Context, *, kv_cache: TensorLike, dst_k: TensorLike,
                                              dst_scale: TensorLike, block_table: TensorLike,
                                              cu_seq_lens: TensorLike, flags: int = 0) -> Supported:
    """Whether cp_gather_indexer_k_quant_cache would take this request here, and if not, why. Tensors may be vkv.spec."""
    return _OPERATION.supported(**locals())
