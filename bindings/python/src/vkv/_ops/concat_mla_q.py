"""concat_mla_q.

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

_OPERATION = Operation("concat_mla_q", _abi.vkv_concat_mla_q_params, written=["q_out"])


def concat_mla_q(ctx: Context, *, ql_nope: TensorLike, q_pe: TensorLike, q_out: TensorLike, flags: int = 0,
                 stream: StreamLike = None) -> None:
    r"""Concatenates. Can be captured into a CUDA graph.

    q_out[n, h, :] = [ql_nope[n, h, :] | q_pe[n, h, :]], bits copied.

    Arguments:
        ql_nope: [num_tokens, num_heads, nope_dim] f16|bf16|f32; last dimension packed, also below
        q_pe: [num_tokens, num_heads, rope_dim] dtype of ql_nope
        q_out: [num_tokens, num_heads, nope_dim + rope_dim] dtype of ql_nope
        flags: no flags yet
        stream: see vkv.Context
    """
    return _OPERATION.run(**locals())


def concat_mla_q_supported(ctx: Context, *, ql_nope: TensorLike, q_pe: TensorLike, q_out: TensorLike,
                           flags: int = 0) -> Supported:
    """Whether concat_mla_q would take this request here, and if not, why. Tensors may be vkv.spec."""
    return _OPERATION.supported(**locals())
