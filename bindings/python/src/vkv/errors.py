"""Exceptions: one for each status, grouped by the status' class. The text is the library's sentence."""
from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Type

from ._abi import Status
from ._library import lib

if TYPE_CHECKING:
    from ._context import DeviceReport


class VkvError(Exception):
    """Any failure of libvkv. A refused call has written nothing."""

    status: int = 0  # a vkv.Status, or a number that a later library may add

    def __init__(self, message: str, status: int | None = None):
        super().__init__(message)
        if status is not None:
            self.status = status


class InvalidArgumentError(VkvError, ValueError):
    """1xx: the caller's mistake."""

    status = Status.ERROR_INVALID_ARGUMENT


class WorkspaceTooSmallError(InvalidArgumentError):
    """The workspace is missing or too small; the sentence says how many bytes are needed."""

    status = Status.ERROR_WORKSPACE_TOO_SMALL


class NotSupportedError(VkvError, NotImplementedError):
    """2xx: right in itself, but not in this build, on this device or in this version. Fall back on this one only."""

    status = Status.ERROR_NOT_SUPPORTED


class NoDeviceError(NotSupportedError):
    """The backend asked for has no usable device, or is not in this build."""

    status = Status.ERROR_NO_DEVICE


class CudaError(VkvError, RuntimeError):
    """3xx: CUDA refused the launch."""

    status = Status.ERROR_CUDA


class InternalError(VkvError, RuntimeError):
    """4xx: the library or the machine."""

    status = Status.ERROR_INTERNAL


class OutOfMemoryError(InternalError, MemoryError):
    """The machine has no memory left."""

    status = Status.ERROR_OUT_OF_MEMORY


class DeviceReportError(VkvError):
    """Context.check_device_report found that kernels met numbers out of range and passed over them."""

    def __init__(self, report: DeviceReport):
        super().__init__(report.message)
        self.report = report


_ALL = (InvalidArgumentError, WorkspaceTooSmallError, NotSupportedError, NoDeviceError, CudaError, InternalError,
        OutOfMemoryError)
_OF_STATUS: Dict[int, Type[VkvError]] = {cls.status: cls for cls in _ALL}
_OF_CLASS: Dict[int, Type[VkvError]] = {1: InvalidArgumentError, 2: NotSupportedError, 3: CudaError, 4: InternalError}


def last_message() -> str:
    """The library's sentence about this thread's most recent failing call."""
    return lib.vkv_last_error_message().decode(errors="replace")


def check(status: int) -> None:
    """Raises what a status other than 0 stands for. To be called next after the call, in its thread."""
    if status != Status.OK:
        cls = _OF_STATUS.get(status) or _OF_CLASS.get(status // 100, VkvError)
        known = status in Status._value2member_map_
        raise cls(last_message(), Status(status) if known else status)
