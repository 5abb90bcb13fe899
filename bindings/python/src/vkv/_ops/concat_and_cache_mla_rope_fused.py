"""concat_and_cache_mla_rope_fused.

Written by scripts/generate-python-structs from include/vkv.h; do not edit.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _abi
from .._abi import Rope
from .._operation import Operation, Supported
from .._stream import StreamLike
from .._tensor import TensorLike

if TYPE_CHECKING:
    from .._context import Context

_OPERATION = Operation("concat_and_cache_mla_rope_fused", _abi.vkv_concat_and_cache_mla_rope_fused_params,
                       written=["q_pe", "k_pe", "kv_cache"], options={"rope_style": Rope})


def concat_and_cache_mla_rope_fused(ctx: Context, *, positions: TensorLike, q_pe: TensorLike, k_pe: TensorLike,
                                    kv_c: TensorLike, cos_sin_cache: TensorLike, slot_mapping: TensorLike,
                                    kv_cache: TensorLike, kv_cache_scale: TensorLike | None = None,
                                    rope_style: Rope | int | str = 0, flags: int = 0,
                                    stream: StreamLike = None) -> None:
    r"""Rotates and writes the cache. Can be captured into a CUDA graph.

    For each token n with slot >= 0: rotates all heads of q_pe[n] and k_pe[n] in place by positions[n], then writes the
    entry [kv_c[n] | rotated k_pe[n]] as vkv_concat_and_cache_mla does. A rotated pair (x, y) with cos c and sin s is
        x' = x * c - y * s      y' = y * c + x * s
    where each product and each sum is rounded to the input dtype. Tokens with a negative slot, and rows past num_tokens,
    are left as they are: neither rotated nor written. So are tokens whose position or slot is out of range (reported).

    Arguments:
        positions: [>= num_tokens] i64
        q_pe: [>= num_tokens, num_heads, rope_dim] f16|bf16|f32, in place; rope_dim even, packed
        k_pe: [>= num_tokens, rope_dim] dtype of q_pe, in place
        kv_c: [>= num_tokens, kv_lora_rank] dtype of q_pe
        cos_sin_cache: [max_position, rope_dim] dtype of q_pe: rope_dim / 2 cosines, then as many sines
        slot_mapping: [num_tokens] i64
        kv_cache: [num_blocks, block_size, kv_lora_rank + rope_dim], dtype of q_pe, e4m3 or e5m2
        kv_cache_scale: absent (= 1) or [1] f32; not read where bits are copied
        rope_style: VKV_ROPE_*; 0 = neox
        flags: no flags yet
        stream: see vkv.Context
    """
    return _OPERATION.run(**locals())


def concat_and_cache_mla_rope_fused_supported(ctx: Context, *, positions: TensorLike, q_pe: TensorLike,
                                              k_pe: TensorLike, kv_c: TensorLike, cos_sin_cache: TensorLike,
                                              slot_mapping: TensorLike, kv_cache: TensorLike,
                                              kv_cache_scale: TensorLike | None = None,
                                              rope_style: Rope | int | str = 0, flags: int = 0) -> Supported:
    """Whether concat_and_cache_mla_rope_fused would take this request here, and if not, why. Tensors may be vkv.spec."""
    return _OPERATION.supported(**locals())
