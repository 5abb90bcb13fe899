"""DLPack: takes the memory that a `__dlpack__` capsule describes and gives it back through the producer's deleter.

The consumer's side of the protocol: the capsule is renamed once taken, so that its own destructor leaves the memory
alone, and the deleter is called exactly once, when the call (or the vkv.Tensor) that used the memory is done.
"""
from __future__ import annotations

import ctypes
from typing import Any

from ._memory import Memory

_NAME, _USED = b"dltensor", b"used_dltensor"
_NAME_VERSIONED, _USED_VERSIONED = b"dltensor_versioned", b"used_dltensor_versioned"
_FLAG_READ_ONLY, _FLAG_COPIED = 1, 2
_DEVICES = {1: "cpu", 2: "cuda", 3: "pinned", 13: "managed"}
_TYPES = {0: "int", 1: "uint", 2: "float", 4: "bfloat", 5: "complex", 6: "bool"}
_FLOAT8_TYPES = {10: "float8_e4m3fn", 12: "float8_e5m2"}


class _DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


# Called with the GIL held, which deleters may or may not take themselves.
_Deleter = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)


class _Managed(ctypes.Structure):
    _fields_ = [("tensor", _DLTensor), ("context", ctypes.c_void_p), ("deleter", _Deleter)]


class _ManagedVersioned(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", _Deleter),
        ("flags", ctypes.c_uint64),
        ("tensor", _DLTensor),
    ]


def _python(name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(ctypes.pythonapi, name)
    function.restype, function.argtypes = result, arguments
    return function


_is_valid = _python("PyCapsule_IsValid", ctypes.c_int, ctypes.py_object, ctypes.c_char_p)
_get_pointer = _python("PyCapsule_GetPointer", ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
_set_name = _python("PyCapsule_SetName", ctypes.c_int, ctypes.py_object, ctypes.c_char_p)


def _capsule(producer: Any, stream: int) -> Any:
    """Asks for a capsule, read-only ones included. On CUDA the producer makes `stream` wait for its pending work."""
    options: dict = {}
    if _DEVICES.get(int(producer.__dlpack_device__()[0])) in ("cuda", "managed"):
        options["stream"] = stream or 1  # DLPack's number of the legacy default stream
    try:
        return producer.__dlpack__(**options, max_version=(1, 0))
    except TypeError:  # older than DLPack 1.0
        return producer.__dlpack__(**options)


def _element_type(tensor: _DLTensor) -> str:
    if tensor.code in _FLOAT8_TYPES:
        return _FLOAT8_TYPES[tensor.code]
    if tensor.code in _TYPES:
        return f"{_TYPES[tensor.code]}{tensor.bits}"
    return f"DLPack type {tensor.code} of {tensor.bits} bits"


def _memory(tensor: _DLTensor, readonly: bool, release: Any) -> Memory:
    if tensor.device_type not in _DEVICES:
        raise ValueError(f"memory of DLPack device type {tensor.device_type} is neither the host's nor CUDA's")
    if tensor.lanes != 1 or tensor.bits % 8:
        raise ValueError(f"elements of {tensor.lanes} x {tensor.bits} bits have no dtype here")
    shape = tuple(tensor.shape[:tensor.ndim])
    strides = tuple(tensor.strides[:tensor.ndim]) if tensor.strides else None
    address, device = (tensor.data or 0) + tensor.byte_offset, _DEVICES[tensor.device_type]
    return Memory(address, _element_type(tensor), tensor.bits // 8, shape, strides, device,
                  tensor.device_id if device == "cuda" else None, readonly, release)


def from_dlpack(producer: Any, stream: int) -> Memory:
    capsule = _capsule(producer, stream)
    versioned = bool(_is_valid(capsule, _NAME_VERSIONED))
    name, used = (_NAME_VERSIONED, _USED_VERSIONED) if versioned else (_NAME, _USED)
    address = _get_pointer(capsule, name)  # raises for anything that is no fresh capsule
    managed = (_ManagedVersioned if versioned else _Managed).from_address(address)
    _set_name(capsule, used)

    def release() -> None:
        if managed.deleter:
            managed.deleter(address)

    try:
        if versioned and managed.major != 1:
            raise BufferError(f"DLPack {managed.major}.{managed.minor} is not understood, expected 1.x")
        flags = managed.flags if versioned else 0
        if flags & _FLAG_COPIED:
            raise BufferError("__dlpack__ made a copy, which would not be the caller's memory")
        return _memory(managed.tensor, bool(flags & _FLAG_READ_ONLY), release)
    except BaseException:
        release()
        raise
