"""cp_gather_cache.

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

_OPERATION = Operation("cp_gather_cache", _abi.vkv_cp_gather_cache_params, written=["dst"])


def cp_gather_cache(ctx: Context, *, src_cache: TensorLike, dst: TensorLike, block_table: TensorLike,
                    cu_seq_lens: TensorLike, seq_starts: TensorLike | None = None, flags: int = 0,
                    stream: StreamLike = None) -> None:
    r"""Gathers. Can be captured into a CUDA graph.

    The same gather as a plain copy of bytes, for every dtype and entry size. Row rules as above.

    Arguments:
        src_cache: [num_blocks, block_size, ...]; the dimensions after the second packed; any dtype but nvfp4, whose
            blocks hold no whole rows
        dst: [rows, ...] dtype of src_cache and as many elements a row; packed after the first
        block_table: [batch, max_blocks] i32; row stride free
        cu_seq_lens: [batch + 1] i32, not decreasing
        seq_starts: absent (= 0) or [batch] i32: first token position of each sequence
        flags: no flags yet
        stream: see vkv.Context
    """
    return _OPERATION.run(**locals())


def cp_gather_cache_supported(ctx: Context, *, src_cache: TensorLike, dst: TensorLike, block_table: TensorLike,
                              cu_seq_lens: TensorLike, seq_starts: TensorLike | None = None,
                              flags: int = 0) -> Supported:
    """Whether cp_gather_cache would take this request here, and if not, why. Tensors may be vkv.spec."""
    return _OPERATION.supported(**locals())
