"""reshape_and_cache.

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

_OPERATION = Operation("reshape_and_cache", _abi.vkv_reshape_and_cache_params, written=["key_cache", "value_cache"])


def reshape_and_cache(ctx: Context, *, key: TensorLike, value: TensorLike, key_cache: TensorLike,
                      value_cache: TensorLike, slot_mapping: TensorLike, k_scale: TensorLike | None = None,
                      v_scale: TensorLike | None = None, flags: int = 0, stream: StreamLike = None) -> None:
    r"""Writes the cache. Can be captured into a CUDA graph.

    Writes new tokens' keys and values into an x-packed cache. For each token n with slot = slot_mapping[n] >= 0,
    block b = slot / block_size, offset t = slot % block_size:

        key_cache[b, h, d / x, t, d % x] = key[n, h, d]          value_cache[b, h, d, t] = value[n, h, d]

    Bits are copied where the cache has the dtype of key; e4m3 and e5m2 caches store x / scale. The number of tokens is
    slot_mapping's; further rows of key and value are padding. Two tokens with one slot: one of them wins, unspecified.

    Arguments:
        key: [>= num_tokens, num_heads, head_dim] f16|bf16|f32; head_dim packed
        value: as key
        key_cache: [num_blocks, num_heads, head_dim / x, block_size, x]; dtype of key, e4m3 or e5m2; x = 16 / element
            bytes; block and head strides free, the rest packed
        value_cache: [num_blocks, num_heads, head_dim, block_size]; dtype of key_cache; likewise
        slot_mapping: [num_tokens] i64
        k_scale: absent (= 1), [1] or [num_heads] f32; not read where bits are copied
        v_scale: as k_scale
        flags: no flags yet
        stream: see vkv.Context
    """
    return _OPERATION.run(**locals())


def reshape_and_cache_supported(ctx: Context, *, key: TensorLike, value: TensorLike, key_cache: TensorLike,
                                value_cache: TensorLike, slot_mapping: TensorLike,
                                k_scale: TensorLike | None = None, v_scale: TensorLike | None = None,
                                flags: int = 0) -> Supported:
    """Whether reshape_and_cache would take this request here, and if not, why. Tensors may be vkv.spec."""
    return _OPERATION.supported(**locals())
