"""Scratch memory of a call: the caller's, an allocator's, or, on the CPU backend, allocated for the call."""
from __future__ import annotations

import ctypes
from typing import Callable, Optional, Union

from ._tensor import Tensor, TensorLike, view_of

ALIGNMENT = 256

# None, a contiguous tensor (of uint8, say), or a function that takes a number of bytes and returns one
WorkspaceLike = Union[None, TensorLike, Callable[[int], TensorLike]]


def host_workspace(size: int) -> Tensor:
    storage = (ctypes.c_uint8 * (size + ALIGNMENT - 1))()
    address = -(-ctypes.addressof(storage) // ALIGNMENT) * ALIGNMENT
    return Tensor(address, "u8", (size,), device="cpu", owner=storage)


def workspace_tensor(given: WorkspaceLike, needed: Callable[[], int], on_host: bool, stream: int) -> Optional[Tensor]:
    """The memory to use; `needed` asks the library for the size. None: the library will say what it misses."""
    if given is None and on_host:
        size = needed()
        return host_workspace(size) if size else None
    if callable(given) and not isinstance(given, Tensor):
        size = needed()
        given = given(size) if size else None
    return None if given is None else view_of(given, None, stream)
