"""Tensor views: what the library is told about memory that the caller owns.

Operations take tensors of any framework as they are. A vkv.Tensor is for what a framework's tensor cannot say (a dtype
that it does not have, a raw address, a shape without memory) and for views that are made once and used in many calls.
"""
from __future__ import annotations

import ctypes
import math
import operator
from typing import Any, Callable, Dict, Iterable, Optional, Protocol, Sequence, Tuple, Union

from ._abi import MAX_DIMS, Dtype, vkv_tensor
from ._buffer import from_buffer
from ._dlpack import from_dlpack
from ._interfaces import from_array_interface, from_cuda_array_interface
from ._library import lib
from ._memory import Memory
from ._stream import StreamLike, stream_handle


class SupportsDLPack(Protocol):
    def __dlpack__(self, *, stream: Any = None) -> Any: ...
    def __dlpack_device__(self) -> Tuple[int, int]: ...


class SupportsArrayInterface(Protocol):
    @property
    def __array_interface__(self) -> dict: ...


class SupportsCudaArrayInterface(Protocol):
    @property
    def __cuda_array_interface__(self) -> dict: ...


_NATURAL = {"float16": Dtype.F16, "bfloat16": Dtype.BF16, "float32": Dtype.F32, "float8_e4m3fn": Dtype.FP8_E4M3,
            "float8_e5m2": Dtype.FP8_E5M2, "uint8": Dtype.U8, "int32": Dtype.I32, "int64": Dtype.I64}
_BY_NAME = {**_NATURAL, **{d.name.lower(): d for d in Dtype}, **{lib.vkv_dtype_string(d).decode(): d for d in Dtype}}
_ITEMSIZE: Dict[int, int] = {Dtype.F16: 2, Dtype.BF16: 2, Dtype.F32: 4, Dtype.I32: 4, Dtype.I64: 8}  # the others: 1

DtypeLike = Union[Dtype, int, str]


def dtype_of(dtype: DtypeLike) -> int:
    """A dtype from its name: the library's ("f16", "e4m3", "nvfp4", ...) or the frameworks' ("float16", ...)."""
    if not isinstance(dtype, str):
        return operator.index(dtype)
    if dtype not in _BY_NAME:
        raise ValueError(f"dtype {dtype!r} is unknown, expected one of {', '.join(sorted(_BY_NAME))}")
    return _BY_NAME[dtype]


def compact_strides(shape: Sequence[int]) -> Tuple[int, ...]:
    return tuple(math.prod(shape[i + 1:]) for i in range(len(shape)))


class Tensor:
    """A view of `shape` elements of `dtype` at `address`; strides count elements, None = row-major compact.

    The address is the caller's word. `owner` is kept as long as the view. Without a `device` ("cpu", "cuda", "pinned",
    "managed") the view is accepted wherever a tensor is; `ordinal` says which CUDA device.
    """

    __slots__ = ("abi", "device", "ordinal", "readonly", "_owner", "_release", "__weakref__")

    def __init__(self, address: int, dtype: DtypeLike, shape: Sequence[int], strides: Optional[Sequence[int]] = None,
                 *, device: Optional[str] = None, ordinal: Optional[int] = None, readonly: bool = False,
                 owner: Any = None):
        self._release: Optional[Callable[[], None]] = None
        if len(shape) > MAX_DIMS:
            raise ValueError(f"a tensor has at most {MAX_DIMS} dimensions, this has {len(shape)}")
        if strides is not None and len(strides) != len(shape):
            raise ValueError(f"{len(strides)} strides for {len(shape)} dimensions")
        self.abi = vkv_tensor(address or None, dtype_of(dtype), len(shape))
        self.abi.shape[:len(shape)] = [operator.index(extent) for extent in shape]
        if strides is not None:
            self.abi.stride[:len(shape)] = [operator.index(stride) for stride in strides]
        self.device, self.ordinal, self.readonly, self._owner = device, ordinal, readonly, owner

    @property
    def address(self) -> int:
        return self.abi.data or 0

    @property
    def dtype(self) -> Union[Dtype, int]:
        return Dtype(self.abi.dtype) if self.abi.dtype in Dtype._value2member_map_ else self.abi.dtype

    @property
    def itemsize(self) -> int:
        return _ITEMSIZE.get(self.abi.dtype, 1)

    @property
    def shape(self) -> Tuple[int, ...]:
        return tuple(self.abi.shape[:self.abi.ndim])

    @property
    def strides(self) -> Optional[Tuple[int, ...]]:
        strides = tuple(self.abi.stride[:self.abi.ndim])
        return strides if any(strides) else None

    @property
    def nbytes(self) -> int:
        """Bytes of all elements, gaps between them left out."""
        return math.prod(self.shape) * self.itemsize

    def release(self) -> None:
        """Gives the memory back to the framework that it came from. The view is empty afterwards."""
        release, self._release, self._owner = self._release, None, None
        self.abi.data = None
        if release is not None:
            release()

    def __del__(self) -> None:
        if getattr(self, "_release", None) is not None:
            self.release()

    def __repr__(self) -> str:
        name = lib.vkv_dtype_string(self.abi.dtype).decode()
        return f"vkv.Tensor({name}, shape={self.shape}, strides={self.strides}, at={self.address:#x})"


TensorLike = Union[Tensor, SupportsDLPack, SupportsArrayInterface, SupportsCudaArrayInterface, Any]


def _memory_of(x: Any, stream: int) -> Memory:
    interface = getattr(x, "__array_interface__", None)
    if interface is not None:
        return from_array_interface(x, interface)
    if hasattr(x, "__dlpack__"):
        return from_dlpack(x, stream)
    interface = getattr(x, "__cuda_array_interface__", None)
    if interface is not None:
        return from_cuda_array_interface(x, interface)
    try:
        return from_buffer(x)
    except TypeError:
        raise TypeError(f"a {type(x).__name__} is no tensor: it has no __dlpack__, __array_interface__, "
                        "__cuda_array_interface__ or buffer") from None


def _view(memory: Memory, dtype: Optional[DtypeLike], owner: Any) -> Tensor:
    if dtype is None:
        if memory.type not in _NATURAL:
            raise ValueError(f"elements of type {memory.type} have no dtype here; vkv.tensor(x, dtype=...) views their "
                             "storage")
        dtype = _NATURAL[memory.type]
    else:
        dtype = dtype_of(dtype)
        expected = _ITEMSIZE.get(dtype, 1)
        if expected != memory.itemsize:
            raise ValueError(f"elements of type {memory.type} cannot be viewed as {Dtype(dtype).name.lower()}, "
                             f"which has {expected} bytes each")
    shape, strides = memory.shape or (1,), memory.strides if memory.shape else None  # a number is a tensor of one
    if strides is not None and not any(strides):
        if math.prod(shape) > 1:  # all zero would be read as compact
            raise ValueError("all strides are 0 (a broadcast number), which has no view; make the tensor contiguous")
        strides = None
    return Tensor(memory.address, dtype, shape, strides, device=memory.device, ordinal=memory.ordinal,
                  readonly=memory.readonly, owner=owner)


def tensor(x: TensorLike, dtype: Optional[DtypeLike] = None, *, stream: StreamLike = None) -> Tensor:
    """A view of x, without a copy. x speaks DLPack, an array interface or the buffer protocol, and is kept by the view.

    `dtype` says what the elements are where x cannot: vkv.tensor(bytes, dtype="fp8_e4m3"), or "nvfp4", "fp8_ds_mla",
    "bf16" of 16-bit words; the element size stays. On CUDA a DLPack producer makes `stream` wait for its pending work.
    """
    return view_of(x, dtype, stream_handle(stream))


def view_of(x: TensorLike, dtype: Optional[DtypeLike], stream: int) -> Tensor:
    if isinstance(x, Tensor):
        same = Memory(x.address, str(x.dtype), x.itemsize, x.shape, x.strides, x.device, x.ordinal, x.readonly, None)
        return _view(same, x.dtype if dtype is None else dtype, x)
    memory = _memory_of(x, stream)
    try:
        view = _view(memory, dtype, None if memory.release else x)
    except BaseException:
        if memory.release:
            memory.release()
        raise
    view._release = memory.release
    return view


def spec(dtype: DtypeLike, shape: Sequence[int], strides: Optional[Sequence[int]] = None) -> Tensor:
    """A tensor without memory, for `_supported` and `_workspace_size`."""
    return Tensor(0, dtype, shape, strides)


def addresses(tensors: Iterable[Union[TensorLike, int]]) -> Tensor:
    """A host tensor of the addresses of tensors (or of numbers), as swap_blocks_batch and copy_blocks take them."""
    views = [x if isinstance(x, int) else tensor(x) for x in tensors]
    numbers = [x if isinstance(x, int) else x.address for x in views]
    view = tensor((ctypes.c_int64 * len(numbers))(*numbers))
    view._owner = views
    return view
