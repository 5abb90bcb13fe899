"""swap_blocks_batch.

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

_OPERATION = Operation("swap_blocks_batch", _abi.vkv_swap_blocks_batch_params, host=["src_ptrs", "dst_ptrs",
                       "sizes"])


def swap_blocks_batch(ctx: Context, *, src_ptrs: TensorLike, dst_ptrs: TensorLike, sizes: TensorLike,
                      max_sms: int = 0, flags: int = 0, stream: StreamLike = None) -> None:
    r"""Copies. Can be captured into a CUDA graph, with the three arrays' values fixed at capture. A driver's failure
    names the entry.

    n independent copies: sizes[i] bytes from address src_ptrs[i] to address dst_ptrs[i]. Addresses and sizes are the
    caller's word: they cannot be checked beyond null, sign and overflow. Copies must not overlap each other or their
    sources.

    Arguments:
        src_ptrs: [n] i64, host memory
        dst_ptrs: [n] i64, host memory
        sizes: [n] i64, host memory; 0 copies nothing
        max_sms: as in vkv_swap_blocks
        flags: VKV_SWAP_SOURCE_ORDER_ANY
        stream: see vkv.Context
    """
    return _OPERATION.run(**locals())


def swap_blocks_batch_supported(ctx: Context, *, src_ptrs: TensorLike, dst_ptrs: TensorLike, sizes: TensorLike,
                                max_sms: int = 0, flags: int = 0) -> Supported:
    """Whether swap_blocks_batch would take this request here, and if not, why. Tensors may be vkv.spec."""
    return _OPERATION.supported(**locals())
