"""CUDA streams: a handle as an integer, or an object of a framework that has one."""
from __future__ import annotations

import operator
from typing import Any, Union

# None, a handle, or an object with __cuda_stream__, .cuda_stream (torch) or .ptr (cupy)
StreamLike = Union[None, int, Any]


def stream_handle(stream: StreamLike) -> int:
    """The cudaStream_t as a number; None and 0 are the legacy default stream."""
    if stream is None:
        return 0
    protocol = getattr(stream, "__cuda_stream__", None)
    if protocol is not None:
        version, handle = protocol() if callable(protocol) else protocol
        if version != 0:
            raise TypeError(f"stream speaks version {version} of __cuda_stream__, expected 0")
    else:
        handle = next((getattr(stream, name) for name in ("cuda_stream", "ptr") if hasattr(stream, name)), stream)
    try:
        handle = operator.index(handle)
    except TypeError:
        raise TypeError(f"stream is a {type(stream).__name__}, expected None, an integer handle, or an object with "
                        "__cuda_stream__, cuda_stream or ptr") from None
    if not 0 <= handle < 2**64:
        raise ValueError(f"stream is {handle}, which is no stream handle")
    return handle
