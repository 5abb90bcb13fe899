"""convert_fp8.

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

_OPERATION = Operation("convert_fp8", _abi.vkv_convert_fp8_params, written=["dst"])


def convert_fp8(ctx: Context, *, dst: TensorLike, src: TensorLike, scale: float = 0, flags: int = 0,
                stream: StreamLike = None) -> None:
    r"""Converts. Can be captured into a CUDA graph.

    dst = narrow(src / scale) if dst is e4m3|e5m2 and src f16|bf16|f32; dst = src * scale the other way round.

    Arguments:
        dst: any shape, any strides; exactly one of dst and src is e4m3|e5m2
        src: shape of dst, own strides
        scale: 0 = 1; must be positive and finite as a float32
        flags: no flags yet
        stream: see vkv.Context
    """
    return _OPERATION.run(**locals())


def convert_fp8_supported(ctx: Context, *, dst: TensorLike, src: TensorLike, scale: float = 0,
                          flags: int = 0) -> Supported:
    """Whether convert_fp8 would take this request here, and if not, why. Tensors may be vkv.spec."""
    return _OPERATION.supported(**locals())
