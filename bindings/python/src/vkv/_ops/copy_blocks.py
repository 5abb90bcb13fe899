"""copy_blocks.

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

_OPERATION = Operation("copy_blocks", _abi.vkv_copy_blocks_params, host=["key_caches", "value_caches"])


def copy_blocks(ctx: Context, *, key_caches: TensorLike, block_mapping: TensorLike, num_blocks: int,
                block_size_in_bytes: int, value_caches: TensorLike | None = None, block_stride_in_bytes: int = 0,
                flags: int = 0, stream: StreamLike = None) -> None:
    r"""Copies. Can be captured into a CUDA graph, with the cache addresses fixed at capture and block_mapping read when
    the graph runs.

    Copies blocks inside each of many caches (all layers at once): for every cache and every row (i, j) of block_mapping,
    block j = block i. Also what vLLM calls copy_blocks_mla: leave value_caches absent. A block that is a source of one
    pair and the destination of another, or the destination of two, has unspecified content; one source may have many
    destinations.

    Arguments:
        key_caches: [num_layers] i64, host memory: address of each layer's cache
        value_caches: absent or [num_layers] i64, host memory: likewise
        block_mapping: [num_pairs, 2] i64, device memory, strides free; ids out of range are skipped and reported
        num_blocks: of every cache
        block_size_in_bytes: bytes copied for a block
        block_stride_in_bytes: from one block to the next; 0 = block_size_in_bytes
        flags: no flags yet
        stream: see vkv.Context
    """
    return _OPERATION.run(**locals())


def copy_blocks_supported(ctx: Context, *, key_caches: TensorLike, block_mapping: TensorLike, num_blocks: int,
                          block_size_in_bytes: int, value_caches: TensorLike | None = None,
                          block_stride_in_bytes: int = 0, flags: int = 0) -> Supported:
    """Whether copy_blocks would take this request here, and if not, why. Tensors may be vkv.spec."""
    return _OPERATION.supported(**locals())
