"""One operation of the library: puts keyword arguments into its params struct, calls it, and turns its status into an
exception. Everything about shapes and values is the library's to check; only what it cannot see is checked here: whose
memory a tensor is, whether it may be written, and that numbers fit their fields."""
from __future__ import annotations

import ctypes
import operator
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Sequence, Type

from ._abi import Backend, vkv_tensor
from ._library import lib
from ._stream import StreamLike, stream_handle
from ._tensor import Tensor, compact_strides, view_of
from ._workspace import WorkspaceLike, workspace_tensor
from .errors import InvalidArgumentError, check, last_message

if TYPE_CHECKING:
    import enum

    from ._context import Context

_HOST, _DEVICE = ("cpu", "pinned", "managed"), ("cuda", "pinned", "managed")
_INT_BITS = {ctypes.c_int32: (-2**31, 2**31), ctypes.c_uint32: (0, 2**32), ctypes.c_int64: (-2**63, 2**63)}


class Supported:
    """Whether a request would be taken. True or false; `status` and `message` say why not."""

    __slots__ = ("status", "message")

    def __init__(self, status: int, message: str):
        self.status, self.message = status, message

    def __bool__(self) -> bool:
        return self.status == 0

    def __repr__(self) -> str:
        return "Supported()" if self else f"Supported(no: {self.message})"


class Operation:
    def __init__(self, name: str, params: Type[ctypes.Structure], *, written: Sequence[str] = (),
                 host: Sequence[str] = (), anywhere: Sequence[str] = (),
                 options: Mapping[str, Type[enum.IntEnum]] = {}):
        self.name, self.params = f"vkv_{name}", params
        self.written = frozenset(written)    # tensors that the operation writes
        self.host = frozenset(host)          # tensors in host memory, whatever the backend
        self.anywhere = frozenset(anywhere)  # tensors that may be in either on CUDA
        self.options = options
        self.types = dict(params._fields_)  # type: ignore[arg-type]
        self.function: Callable = getattr(lib, self.name)

    def run(self, ctx: Context, stream: StreamLike = None, workspace: WorkspaceLike = None, **fields: Any) -> None:
        handle = stream_handle(stream)
        views: List[Tensor] = []  # made for this call only
        try:
            params = self._fill(ctx, fields, handle, views)
            if "workspace" in self.types:
                self._bring_workspace(ctx, params, workspace, handle, views)
            check(self.function(ctx.handle, ctypes.byref(params), handle or None))
        finally:
            self._release(views)

    def supported(self, ctx: Context, **fields: Any) -> Supported:
        views: List[Tensor] = []
        try:
            params = self._fill(ctx, fields, 0, views)
            status = getattr(lib, f"{self.name}_supported")(ctx.handle, ctypes.byref(params))
            return Supported(status, last_message() if status else "")
        finally:
            self._release(views)

    def workspace_size(self, ctx: Context, **fields: Any) -> int:
        views: List[Tensor] = []
        try:
            return self._needed(ctx, self._fill(ctx, fields, 0, views))
        finally:
            self._release(views)

    def _needed(self, ctx: Context, params: Any) -> int:
        size = ctypes.c_size_t()
        check(getattr(lib, f"{self.name}_workspace_size")(ctx.handle, ctypes.byref(params), ctypes.byref(size)))
        return size.value

    @staticmethod
    def _release(views: List[Tensor]) -> None:
        for view in views:
            view.release()

    def _bring_workspace(self, ctx: Context, params: Any, given: WorkspaceLike, stream: int,
                         views: List[Tensor]) -> None:
        on_host = ctx.backend == Backend.CPU
        view = workspace_tensor(given, lambda: self._needed(ctx, params), on_host, stream)
        if view is not None:
            if view is not given:
                views.append(view)
            self._check_place(ctx, "workspace", view, written=True)
            if view.strides not in (None, compact_strides(view.shape)):
                raise InvalidArgumentError(f"{self.name}: workspace is not contiguous")
            params.workspace, params.workspace_size = view.address or None, view.nbytes

    def _fill(self, ctx: Context, fields: Dict[str, Any], stream: int, views: List[Tensor]) -> Any:
        params = self.params(ctypes.sizeof(self.params))
        for name, value in fields.items():
            kind = self.types[name]
            if kind is vkv_tensor:
                if value is not None:
                    setattr(params, name, self._tensor(ctx, name, value, stream, views).abi)
            elif type(value) is int and value == 0:
                pass  # what the struct holds already
            elif kind in _INT_BITS:
                setattr(params, name, self._integer(name, value, *_INT_BITS[kind]))
            else:
                setattr(params, name, self._converted(name, value, float))
        return params

    def _tensor(self, ctx: Context, name: str, value: Any, stream: int, views: List[Tensor]) -> Tensor:
        view = value
        if not isinstance(value, Tensor):
            try:
                view = view_of(value, None, stream)
            except (ValueError, BufferError) as error:
                raise InvalidArgumentError(f"{self.name}: {name}: {error}") from error
            except TypeError as error:
                raise TypeError(f"{self.name}: {name}: {error}") from error
            views.append(view)
        self._check_place(ctx, name, view, name in self.written)
        return view

    def _check_place(self, ctx: Context, name: str, view: Tensor, written: bool) -> None:
        if written and view.readonly:
            raise InvalidArgumentError(f"{self.name}: {name} is read-only, but the tensor is written")
        if view.device is None or (name in self.anywhere and ctx.backend == Backend.CUDA):
            return
        on_host = ctx.backend == Backend.CPU or name in self.host
        if view.device not in (_HOST if on_host else _DEVICE):
            raise InvalidArgumentError(f"{self.name}: {name} is {view.device} memory, expected "
                                       f"{'host' if on_host else 'CUDA device'} memory")
        if not on_host and view.ordinal is not None and view.ordinal != ctx.device:
            raise InvalidArgumentError(f"{self.name}: {name} is on CUDA device {view.ordinal}, the context on "
                                       f"{ctx.device}")

    def _integer(self, name: str, value: Any, least: int, end: int) -> int:
        options = self.options.get(name)
        if isinstance(value, str) and options is not None:
            if value.upper() not in options.__members__:
                names = ", ".join(repr(member.lower()) for member in options.__members__)
                raise InvalidArgumentError(f"{self.name}: {name} is {value!r}, expected one of {names}")
            return options[value.upper()]
        number = self._converted(name, value, operator.index)
        if not least <= number < end:
            raise InvalidArgumentError(f"{self.name}: {name} is {number}, expected {least} to {end - 1}")
        return number

    def _converted(self, name: str, value: Any, to: Callable[[Any], Any]) -> Any:
        try:
            return to(value)
        except (TypeError, ValueError):
            expected = "an integer" if to is operator.index else "a number"
            raise TypeError(f"{self.name}: {name} is {value!r}, expected {expected}") from None
