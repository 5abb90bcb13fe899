"""Where the tests' tensors live and whose they are: one class for each framework and exchange protocol."""
import math

import numpy as np

import vkv

NUMPY = {"f16": np.float16, "f32": np.float32, "u8": np.uint8, "i32": np.int32, "i64": np.int64}
ITEMSIZE = {"f16": 2, "bf16": 2, "f32": 4, "i32": 4, "i64": 8}


def compact(shape):
    return tuple(math.prod(shape[i + 1:]) for i in range(len(shape)))


def padded(data, dtype, shape, strides):
    """The bytes, long enough for every element that the strides reach."""
    itemsize = ITEMSIZE.get(dtype, 1)
    extent = sum((n - 1) * s for n, s in zip(shape, strides)) + 1 if math.prod(shape) else 0
    return bytearray(data) + bytes(max(0, extent * itemsize - len(data)) + -len(data) % 8)


class OnlyDLPack:
    """A tensor that has nothing but DLPack."""

    def __init__(self, tensor):
        self.tensor = tensor

    def __dlpack__(self, **options):
        return self.tensor.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.tensor.__dlpack_device__()


class OnlyCudaArrayInterface:
    def __init__(self, tensor):
        self.tensor = tensor

    @property
    def __cuda_array_interface__(self):
        return self.tensor.__cuda_array_interface__


class Stored:
    """A tensor as an operation takes it, and its bytes."""

    def __init__(self, tensor, raw, size, to_host):
        self.tensor, self._raw, self._size, self._to_host = tensor, raw, size, to_host

    def bytes(self):
        return self._to_host(self._raw).tobytes()[:self._size]

    def array(self, dtype, shape):
        return np.frombuffer(self.bytes(), NUMPY.get(dtype, np.uint16 if dtype == "bf16" else np.uint8)).reshape(shape)


class Numpy:
    backend, stream, workspace = "cpu", None, None

    def __init__(self, wrap=lambda array: array):
        self.wrap = wrap

    def store(self, data, dtype, shape, strides=None, host=False):
        strides = strides or compact(shape)
        raw = np.frombuffer(padded(data, dtype, shape, strides), np.uint8)
        native = NUMPY.get(dtype, np.uint16 if dtype == "bf16" else np.uint8)
        elements = raw[:len(raw) // native().itemsize * native().itemsize].view(native)
        view = np.lib.stride_tricks.as_strided(elements, shape, [stride * native().itemsize for stride in strides])
        tensor = self.wrap(view)
        if dtype not in NUMPY:
            tensor = vkv.tensor(tensor, dtype=dtype)
        return Stored(tensor, raw, len(data), lambda raw: raw)


class Torch:
    """torch tensors; on CUDA enqueued on torch's stream, with torch's allocator for the workspace."""

    def __init__(self, torch, where, wrap=lambda tensor: tensor):
        self.torch, self.where, self.wrap = torch, where, wrap
        self.backend = where

    @property
    def stream(self):
        return self.torch.cuda.current_stream() if self.where == "cuda" else None

    @property
    def workspace(self):
        if self.where == "cpu":
            return None
        return lambda size: self.torch.empty(size, dtype=self.torch.uint8, device=self.where)

    def store(self, data, dtype, shape, strides=None, host=False):
        torch = self.torch
        strides = strides or compact(shape)
        raw = torch.frombuffer(padded(data, dtype, shape, strides) or bytearray(8), dtype=torch.uint8)
        raw = raw if host else raw.to(self.where)
        native = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32, "i32": torch.int32,
                  "i64": torch.int64}.get(dtype, torch.uint8)
        elements = raw[:len(raw) // native.itemsize * native.itemsize].view(native)
        tensor = elements.as_strided(shape, strides)
        if not host and native != torch.bfloat16:  # which the CUDA array interface cannot say
            tensor = self.wrap(tensor)
        if native == torch.uint8 and dtype != "u8":
            tensor = vkv.tensor(tensor, dtype=dtype)
        return Stored(tensor, raw, len(data), lambda raw: raw.cpu().numpy())


def store_array(device, array, dtype=None, host=False):
    """A numpy array on the device; `dtype` for what numpy has no type for (then the array holds the storage)."""
    array = np.ascontiguousarray(array)
    dtype = dtype or next(name for name, native in NUMPY.items() if native == array.dtype)
    return device.store(array.tobytes(), dtype, array.shape, host=host)
