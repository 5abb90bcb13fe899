"""Python's buffer protocol: bytearray, array.array, ctypes arrays, memoryview."""
from __future__ import annotations

import ctypes
from typing import Any

from ._memory import Memory, element_strides


class _PyBuffer(ctypes.Structure):
    _fields_ = [
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.POINTER(ctypes.c_ssize_t)),
        ("strides", ctypes.POINTER(ctypes.c_ssize_t)),
        ("suboffsets", ctypes.POINTER(ctypes.c_ssize_t)),
        ("internal", ctypes.c_void_p),
    ]


_get = ctypes.pythonapi.PyObject_GetBuffer
_get.argtypes, _get.restype = [ctypes.py_object, ctypes.POINTER(_PyBuffer), ctypes.c_int], ctypes.c_int
_release = ctypes.pythonapi.PyBuffer_Release
_release.argtypes, _release.restype = [ctypes.POINTER(_PyBuffer)], None

_STRIDES_AND_FORMAT = 0x1C  # PyBUF_STRIDED_RO with PyBUF_FORMAT


def _element_type(code: str, itemsize: int) -> str:
    kind = {"e": "float", "f": "float", "d": "float", "?": "bool"}.get(code)
    if kind is None:
        kind = "uint" if code in "BHILQN" else "int" if code in "bhilqn" else "bytes"
    return f"{kind}{8 * itemsize}"


def from_buffer(owner: Any) -> Memory:
    view = _PyBuffer()
    _get(owner, ctypes.byref(view), _STRIDES_AND_FORMAT)

    def release() -> None:
        _release(ctypes.byref(view))

    try:
        code = (view.format or b"B").decode()
        if code[0] in ">!" and view.itemsize > 1:
            raise ValueError(f"elements of format {code} are big-endian, which is not the machine's byte order")
        # ctypes arrays tell no strides, though asked for them.
        strides = element_strides(tuple(view.strides[:view.ndim]) if view.strides else None, view.itemsize)
        return Memory(view.buf or 0, _element_type(code.lstrip("@=<>!"), view.itemsize), view.itemsize,
                      tuple(view.shape[:view.ndim]), strides, "cpu", None, bool(view.readonly), release)
    except BaseException:
        release()
        raise
