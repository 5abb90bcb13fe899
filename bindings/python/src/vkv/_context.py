"""The context: one device, and every operation on it."""
from __future__ import annotations

import ctypes
import operator
from dataclasses import dataclass
from typing import Any, Optional, Union

from . import _abi
from ._abi import Backend, Op, Report
from ._library import lib
from ._ops import Operations
from .errors import DeviceReportError, InvalidArgumentError, check


@dataclass(frozen=True)
class ContextInfo:
    backend: Backend
    device: int       # CUDA device ordinal; 0 for CPU
    num_threads: int  # CPU: threads that work on one call; 0 for CUDA
    num_sms: int      # CUDA: multiprocessors; 0 for CPU
    cc_major: int     # CUDA: compute capability; 0 for CPU
    cc_minor: int
    name: str         # GPU name, or the vector units in use


@dataclass(frozen=True)
class DeviceReport:
    """Numbers in device memory that were out of range since the last read; what the first of them was."""

    count: int
    op: Union[Op, int]
    what: Union[Report, int]
    index: int    # into the array that held it (row-major for a block table)
    value: int    # the number found
    limit: int    # the smallest number that is too large there
    message: str


def _member(cls: Any, number: int) -> Any:
    """The constant of that number; the number itself where a later library has more."""
    return cls(number) if number in cls._value2member_map_ else number


class Context(Operations):
    """A device to work on: backend "cuda", "cpu", or "auto" (CUDA where a usable GPU is present, else the CPU).

    Close it, or use it in a `with` statement; work that it enqueued must be complete by then. Any number of threads may
    use a context at once. Calls let other Python threads run.

    Tensors    Any object with DLPack, `__array_interface__`, `__cuda_array_interface__` or the buffer protocol, or a
               vkv.Tensor; never copied. Nothing is kept after the call, so on CUDA the caller keeps tensors until the
               stream has passed the work.
    stream     CUDA: None (the legacy default stream), a handle, or an object with `__cuda_stream__`, `.cuda_stream`
               (torch) or `.ptr` (cupy). The work is enqueued there and not waited for. Tensors that come by DLPack are
               asked for on this stream, so their producer's pending work is done first; all other ordering is the
               caller's. CPU: ignored, the work is done on return.
    workspace  A contiguous tensor of at least the bytes that `<op>_workspace_size` tells, 256-byte aligned and used by
               one call at a time; or a function that is given the number of bytes and returns such a tensor (on CUDA
               its memory must be allocated in stream order, as torch's and cupy's is). None: the CPU backend allocates
               it for the call, CUDA raises WorkspaceTooSmallError if any is needed.
    """

    def __init__(self, backend: Union[Backend, int, str] = "auto", device: int = 0, num_threads: int = 0):
        self._handle = ctypes.c_void_p()
        if isinstance(backend, str):
            if backend.upper() not in Backend.__members__:
                raise InvalidArgumentError(f"backend is {backend!r}, expected 'auto', 'cuda' or 'cpu'")
            backend = Backend[backend.upper()]
        numbers = {"backend": backend, "device": device, "num_threads": num_threads}
        for name, number in numbers.items():
            if not -2**31 <= operator.index(number) < 2**31:
                raise InvalidArgumentError(f"{name} is {number}, which is no 32-bit number")
        params = _abi.vkv_context_params(struct_size=ctypes.sizeof(_abi.vkv_context_params), **numbers)
        check(lib.vkv_context_create(ctypes.byref(params), ctypes.byref(self._handle)))
        info = self.info
        self.backend, self.device = info.backend, info.device

    @property
    def handle(self) -> int:
        """The vkv_context* as a number."""
        if not self._handle:
            raise ValueError("the context is closed")
        return self._handle.value  # type: ignore[return-value]

    @property
    def info(self) -> ContextInfo:
        info = _abi.vkv_context_info(struct_size=ctypes.sizeof(_abi.vkv_context_info))
        check(lib.vkv_context_get_info(self.handle, ctypes.byref(info)))
        return ContextInfo(_member(Backend, info.backend), info.device, info.num_threads, info.num_sms, info.cc_major,
                           info.cc_minor, info.name.decode(errors="replace"))

    def read_device_report(self) -> Optional[DeviceReport]:
        """Reads and clears the device report; None if nothing was out of range.

        Does not synchronise: what CUDA work that is still running will find is not in it yet.
        """
        report = _abi.vkv_device_report(struct_size=ctypes.sizeof(_abi.vkv_device_report))
        check(lib.vkv_context_read_device_report(self.handle, ctypes.byref(report)))
        if report.count == 0:
            return None
        return DeviceReport(report.count, _member(Op, report.op), _member(Report, report.what), report.index,
                            report.value, report.limit, report.message.decode(errors="replace"))

    def check_device_report(self) -> None:
        """Raises DeviceReportError if read_device_report has something to tell."""
        report = self.read_device_report()
        if report is not None:
            raise DeviceReportError(report)

    def close(self) -> None:
        """Destroys the context. Closing twice is harmless."""
        handle, self._handle = self._handle, ctypes.c_void_p()
        lib.vkv_context_destroy(handle)

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self.close()

    def __repr__(self) -> str:
        return f"vkv.Context({self.info.name!r})" if self._handle else "vkv.Context(closed)"
