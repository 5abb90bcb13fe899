"""The array interface of host arrays (numpy) and the CUDA array interface (cupy, numba, torch)."""
from __future__ import annotations

from typing import Any

from ._memory import Memory, element_strides

_KINDS = {"f": "float", "i": "int", "u": "uint", "b": "bool", "c": "complex"}


def _element_type(owner: Any, typestr: str) -> str:
    kind = typestr[1]
    if kind == "V":  # extension types, such as ml_dtypes' bfloat16, tell their name in the dtype alone
        return str(getattr(getattr(owner, "dtype", None), "name", f"void{8 * int(typestr[2:])}"))
    return f"{_KINDS.get(kind, kind)}{8 * int(typestr[2:])}"


def _memory(owner: Any, interface: dict, device: str) -> Memory:
    typestr = interface["typestr"]
    itemsize = int(typestr[2:])
    if typestr[0] == ">" and itemsize > 1:
        raise ValueError(f"elements of type {typestr} are big-endian, which is not the machine's byte order")
    if interface.get("mask") is not None:
        raise ValueError("masked arrays have no plain memory")
    data = interface.get("data")
    if not isinstance(data, tuple):
        raise ValueError("the array interface tells no address")
    address, readonly = data
    strides = element_strides(interface.get("strides"), itemsize)
    shape = tuple(interface["shape"])
    return Memory(address or 0, _element_type(owner, typestr), itemsize, shape, strides, device, None,
                  bool(readonly), None)


def from_array_interface(owner: Any, interface: dict) -> Memory:
    return _memory(owner, interface, "cpu")


def from_cuda_array_interface(owner: Any, interface: dict) -> Memory:
    """The interface's own `stream` is not waited for: ordering is the caller's, as with any kernel launch."""
    return _memory(owner, interface, "cuda")
