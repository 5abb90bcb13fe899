"""reshape_and_cache_flash.

Written by scripts/generate-python-structs from include/vkv.h; do not edit.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _abi
from .._abi import Nvfp4Scales
from .._operation import Operation, Supported
from .._stream import StreamLike
from .._tensor import TensorLike

if TYPE_CHECKING:
    from .._context import Context

_OPERATION = Operation("reshape_and_cache_flash", _abi.vkv_reshape_and_cache_flash_params, written=["key_cache",
                       "value_cache"], options={"nvfp4_v_scales": Nvfp4Scales})


def reshape_and_cache_flash(ctx: Context, *, key: TensorLike, value: TensorLike, key_cache: TensorLike,
                            value_cache: TensorLike, slot_mapping: TensorLike, k_scale: TensorLike | None = None,
                            v_scale: TensorLike | None = None, nvfp4_v_scales: Nvfp4Scales | int | str = 0,
                            flags: int = 0, stream: StreamLike = None) -> None:
    r"""Writes the cache. Can be captured into a CUDA graph.

    The same into a strided cache: key_cache[b, t, h, :] = key[n, h, :], value_cache[b, t, h, :] = value[n, h, :].

    NVFP4 (dtype nvfp4, key f16|bf16, head_dim % 16 == 0): a block's bytes for one side and H heads are
        [ H * block_size * head_dim / 2 data bytes | H * block_size * head_dim / 16 scale bytes ]
    in rows (token, head) that go token-major if the tensor's strides are (token, head) = (H * F, F), head-major if they
    are (F, block_size * F), F = head_dim / 2 + head_dim / 16 bytes being the tensor's last dimension; the block stride
    is free. Of each run of 16 elements, with A its largest magnitude (NaN passed over) and all steps in IEEE float32:
        sf  = e4m3(min((A * (1/6)) * (1/scale), 448))     inv = sf == 0 ? 0 : 1 / (sf * (1 / (1/scale)))
        element = e2m1(x * inv), round to nearest even, saturating at 6; NaN stores as +6
    (the min of a NaN, from a scale that is no number, is 448) so that x is about element * sf * scale. Element 2i is the
    low nibble of byte i. Scale g of a row is byte g of its head_dim / 16 scale bytes (linear); for V with
    VKV_NVFP4_SCALES_SWIZZLED, with S = head_dim / 16 and q = S / 4, the scale of token t and group g of one head is at
    token row 4 * (t / 4) + g / q, byte 4 * (g % q) + t % 4.

    Arguments:
        key: [>= num_tokens, num_heads, head_dim] f16|bf16|f32; head_dim packed
        value: as key
        key_cache: [num_blocks, block_size, num_heads, head_dim]; dtype of key, e4m3, e5m2; head_dim packed, other
            strides free. nvfp4: [num_blocks, block_size, num_heads, F]
        value_cache: shape and dtype of key_cache; own strides
        slot_mapping: [num_tokens] i64
        k_scale: absent (= 1), [1] or [num_heads] f32 (nvfp4: [1]); not read where bits are copied
        v_scale: as k_scale
        nvfp4_v_scales: VKV_NVFP4_SCALES_*; 0 = linear; nvfp4 caches only
        flags: no flags yet
        stream: see vkv.Context
    """
    return _OPERATION.run(**locals())


def reshape_and_cache_flash_supported(ctx: Context, *, key: TensorLike, value: TensorLike, key_cache: TensorLike,
                                      value_cache: TensorLike, slot_mapping: TensorLike,
                                      k_scale: TensorLike | None = None, v_scale: TensorLike | None = None,
                                      nvfp4_v_scales: Nvfp4Scales | int | str = 0, flags: int = 0) -> Supported:
    """Whether reshape_and_cache_flash would take this request here, and if not, why. Tensors may be vkv.spec."""
    return _OPERATION.supported(**locals())
