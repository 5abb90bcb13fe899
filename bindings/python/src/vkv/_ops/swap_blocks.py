"""swap_blocks.

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

_OPERATION = Operation("swap_blocks", _abi.vkv_swap_blocks_params, written=["dst"], host=["block_mapping"],
                       anywhere=["src", "dst"])


def swap_blocks(ctx: Context, *, src: TensorLike, dst: TensorLike, block_mapping: TensorLike, max_sms: int = 0,
                flags: int = 0, stream: StreamLike = None) -> None:
    r"""Copies. Can be captured into a CUDA graph, with block_mapping's values fixed at capture.

    Copies blocks between two pools: for each row (i, j) of block_mapping, block j of dst = block i of src. On CUDA
    either pool may be device or host memory (pinned to be asynchronous), at least one of them device memory. On the CPU
    backend both are host memory. Block ids are checked on the host before anything is enqueued; the sentence names the
    first bad row. Within one call a block that is both a source and a destination, or twice a destination, has
    unspecified content. Host memory must stay valid until the stream has passed the copies; block_mapping is consumed
    before return.

    Arguments:
        src: [num_src_blocks, ...] any dtype; packed after the first dimension
        dst: [num_dst_blocks, ...] as many bytes a block as src; packed likewise
        block_mapping: [num_pairs, 2] i64, host memory, strides free: (block of src, block of dst)
        max_sms: CUDA: most multiprocessors that a copy kernel may occupy; 0 = the library's choice
        flags: no flags yet
        stream: see vkv.Context
    """
    return _OPERATION.run(**locals())


def swap_blocks_supported(ctx: Context, *, src: TensorLike, dst: TensorLike, block_mapping: TensorLike,
                          max_sms: int = 0, flags: int = 0) -> Supported:
    """Whether swap_blocks would take this request here, and if not, why. Tensors may be vkv.spec."""
    return _OPERATION.supported(**locals())
