"""indexer_k_quant_and_cache.

Written by scripts/generate-python-structs from include/vkv.h; do not edit.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _abi
from .._abi import ScaleRule
from .._operation import Operation, Supported
from .._stream import StreamLike
from .._tensor import TensorLike

if TYPE_CHECKING:
    from .._context import Context

_OPERATION = Operation("indexer_k_quant_and_cache", _abi.vkv_indexer_k_quant_and_cache_params, written=["kv_cache"],
                       options={"scale_rule": ScaleRule})


def indexer_k_quant_and_cache(ctx: Context, *, k: TensorLike, kv_cache: TensorLike, slot_mapping: TensorLike,
                              quant_block_size: int = 0, scale_rule: ScaleRule | int | str = 0, flags: int = 0,
                              stream: StreamLike = None) -> None:
    r"""Writes the cache. Can be captured into a CUDA graph.

    Quantises the sparse-attention indexer's keys by blocks of quant_block_size dims. With A a block's largest magnitude
    (NaN passed over): scale = max(A, 1e-4) / 448, raised to the next power of two by VKV_SCALE_RULE_POW2 (vLLM's
    "ue8m0"), stored as f32; q = e4m3(x / scale). A cache block's bytes are segregated, both parts token-major:
        [ block_size * head_dim e4m3 bytes | block_size * head_dim / quant_block_size f32 scales ]

    Arguments:
        k: [>= num_tokens, head_dim] f16|bf16|f32; head_dim packed
        kv_cache: [num_blocks, block_size, head_dim + 4 * head_dim / quant_block_size] u8; packed inside a block, block
            stride free; 4-byte aligned in data, block stride and scales' offset
        slot_mapping: [num_tokens] i64
        quant_block_size: divides head_dim; 0 = 128
        scale_rule: VKV_SCALE_RULE_*; 0 = pow2
        flags: no flags yet
        stream: see vkv.Context
    """
    return _OPERATION.run(**locals())


def indexer_k_quant_and_cache_supported(ctx: Context, *, k: TensorLike, kv_cache: TensorLike,
                                        slot_mapping: TensorLike, quant_block_size: int = 0,
                                        scale_rule: ScaleRule | int | str = 0, flags: int = 0) -> Supported:
    """Whether indexer_k_quant_and_cache would take this request here, and if not, why. Tensors may be vkv.spec."""
    return _OPERATION.supported(**locals())
