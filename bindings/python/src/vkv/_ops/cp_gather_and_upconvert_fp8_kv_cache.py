"""cp_gather_and_upconvert_fp8_kv_cache.

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

_OPERATION = Operation("cp_gather_and_upconvert_fp8_kv_cache", _abi.vkv_cp_gather_and_upconvert_fp8_kv_cache_params,
                       written=["dst"])


def cp_gather_and_upconvert_fp8_kv_cache(ctx: Context, *, src_cache: TensorLike, dst: TensorLike,
                                         block_table: TensorLike, workspace_starts: TensorLike,
                                         seq_starts: TensorLike | None = None, flags: int = 0,
                                         stream: StreamLike = None) -> None:
    r"""Gathers. Can be captured into a CUDA graph.

    Gathers fp8_ds_mla entries and widens them: dst[i, 0:512] = e4m3 * its tile's scale, rounded once; dst[i, 512:576] =
    the rope bits. Row i belongs to the last sequence r with workspace_starts[r] <= i; the last sequence runs to the end
    of dst. Rows before workspace_starts[0] are left as they are. pos = i - workspace_starts[r] + seq_starts[r]; out of
    range as above.

    Arguments:
        src_cache: [num_blocks, block_size, 656] fp8_ds_mla; 4-byte aligned in data and strides
        dst: [rows, 576] f16|bf16: the dtype that the entries were written from; packed rows
        block_table: [batch, max_blocks] i32; row stride free
        workspace_starts: [batch] i32, not decreasing
        seq_starts: absent (= 0) or [batch] i32
        flags: no flags yet
        stream: see vkv.Context
    """
    return _OPERATION.run(**locals())


def cp_gather_and_upconvert_fp8_kv_cache_supported(ctx: Context, *, src_cache: TensorLike, dst: TensorLike,
                                                   block_table: TensorLike, workspace_starts: TensorLike,
                                                   seq_starts: TensorLike | None = None,
                                                   flags: int = 0) -> Supported:
    """Whether cp_gather_and_upconvert_fp8_kv_cache would take this request here, and if not, why. Tensors may be vkv.spec."""
    return _OPERATION.supported(**locals())
