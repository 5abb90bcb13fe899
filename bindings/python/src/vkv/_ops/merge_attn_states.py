"""merge_attn_states.

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

_OPERATION = Operation("merge_attn_states", _abi.vkv_merge_attn_states_params, written=["output", "output_lse"])


def merge_attn_states(ctx: Context, *, output: TensorLike, prefix_output: TensorLike, prefix_lse: TensorLike,
                      suffix_output: TensorLike, suffix_lse: TensorLike, output_lse: TensorLike | None = None,
                      output_scale: TensorLike | None = None, num_tokens_without_context: int = 0, flags: int = 0,
                      stream: StreamLike = None) -> None:
    r"""Runs the merge. Can be captured into a CUDA graph.

    Combines the attention of the same queries over two disjoint sets of keys, by their natural-log sum-exps p and s:

        m = max(p, s)   a = exp(p - m)   b = exp(s - m)
        output = (a * prefix_output + b * suffix_output) / (a + b)          output_lse = m + log(a + b)

    in float32, rounded once. An lse of -infinity or +infinity marks an empty side: it has weight 0 and its data is not
    read. Both empty: output 0, output_lse -infinity. A NaN lse gives NaN. The last num_tokens_without_context tokens
    take the suffix alone. With output e4m3 the float32 result is stored as x / output_scale, NaN staying NaN.
    Aliasing: output may be prefix_output or suffix_output itself, output_lse may be prefix_lse or suffix_lse itself
    (same data, dtype and strides).

    Arguments:
        output: [num_tokens, num_heads, head_dim], dtype of prefix_output, or e4m3 with output_scale; head_dim packed
            here and below
        output_lse: absent or [num_heads, num_tokens] f32; strides free here and below
        prefix_output: [num_tokens, num_heads, head_dim] f16|bf16|f32
        prefix_lse: [num_heads, num_tokens] f32
        suffix_output: as prefix_output
        suffix_lse: as prefix_lse
        output_scale: [1] f32 if output is e4m3, else absent
        num_tokens_without_context: vLLM: num_tokens - prefill_tokens_with_context; 0 .. num_tokens
        flags: no flags yet
        stream: see vkv.Context
    """
    return _OPERATION.run(**locals())


def merge_attn_states_supported(ctx: Context, *, output: TensorLike, prefix_output: TensorLike,
                                prefix_lse: TensorLike, suffix_output: TensorLike, suffix_lse: TensorLike,
                                output_lse: TensorLike | None = None, output_scale: TensorLike | None = None,
                                num_tokens_without_context: int = 0, flags: int = 0) -> Supported:
    """Whether merge_attn_states would take this request here, and if not, why. Tensors may be vkv.spec."""
    return _OPERATION.supported(**locals())
