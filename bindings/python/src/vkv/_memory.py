"""What every exchange protocol tells about a tensor: where its memory is and how it is laid out."""
from __future__ import annotations

from typing import Callable, NamedTuple, Optional, Tuple


class Memory(NamedTuple):
    address: int
    type: str      # numpy's name of the element type, such as "float32" or "bfloat16"
    itemsize: int  # bytes
    shape: Tuple[int, ...]
    strides: Optional[Tuple[int, ...]]  # in elements; None = row-major compact
    device: Optional[str]  # "cpu", "cuda", "pinned" or "managed"
    ordinal: Optional[int]  # CUDA device ordinal; None = not told
    readonly: bool
    release: Optional[Callable[[], None]]  # gives the memory back to its producer; None = holding the object is enough


def element_strides(strides: Optional[Tuple[int, ...]], itemsize: int) -> Optional[Tuple[int, ...]]:
    """Byte strides as element strides."""
    if strides is None:
        return None
    if any(stride % itemsize for stride in strides):
        raise ValueError(f"strides of {tuple(strides)} bytes are not multiples of the {itemsize}-byte elements")
    return tuple(stride // itemsize for stride in strides)
