"""concat_and_cache_mla.

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

_OPERATION = Operation("concat_and_cache_mla", _abi.vkv_concat_and_cache_mla_params, written=["kv_cache"],
                       options={"scale_rule": ScaleRule})


def concat_and_cache_mla(ctx: Context, *, kv_c: TensorLike, k_pe: TensorLike, kv_cache: TensorLike,
                         slot_mapping: TensorLike, scale: TensorLike | None = None,
                         scale_rule: ScaleRule | int | str = 0, flags: int = 0, stream: StreamLike = None) -> None:
    r"""Writes the cache. Can be captured into a CUDA graph.

    Writes MLA entries: entry = [kv_c[n] | k_pe[n]] at the token's slot. Bits are copied where the cache has the dtype of
    kv_c; e4m3 and e5m2 caches store both halves as x / scale.

    fp8_ds_mla (kv_lora_rank 512, rope_dim 64, f16|bf16 inputs): an entry is 656 bytes:
        [0, 512)    e4m3(x / scale_i)
        [512, 528)  four f32 scales, scale_i for dims [128 i, 128 i + 128), from their largest magnitude A (NaN passed
                    over): VKV_SCALE_RULE_POW2: 2 ^ ceil(log2(max(A / 448, 1e-4))), exact;
                    VKV_SCALE_RULE_F32: max(A / 448, FLT_MIN)
        [528, 656)  the 64 rope elements, bits copied

    Arguments:
        kv_c: [>= num_tokens, kv_lora_rank] f16|bf16|f32; last dimension packed here and below
        k_pe: [>= num_tokens, rope_dim] dtype of kv_c
        kv_cache: [num_blocks, block_size, kv_lora_rank + rope_dim], dtype of kv_c, e4m3 or e5m2; or [num_blocks,
            block_size, 656] fp8_ds_mla, 4-byte aligned in data and strides
        slot_mapping: [num_tokens] i64
        scale: absent (= 1) or [1] f32; not read by fp8_ds_mla or where bits are copied
        scale_rule: VKV_SCALE_RULE_*; 0 = pow2; fp8_ds_mla only
        flags: no flags yet
        stream: see vkv.Context
    """
    return _OPERATION.run(**locals())


def concat_and_cache_mla_supported(ctx: Context, *, kv_c: TensorLike, k_pe: TensorLike, kv_cache: TensorLike,
                                   slot_mapping: TensorLike, scale: TensorLike | None = None,
                                   scale_rule: ScaleRule | int | str = 0, flags: int = 0) -> Supported:
    """Whether concat_and_cache_mla would take this request here, and if not, why. Tensors may be vkv.spec."""
    return _OPERATION.supported(**locals())
