"""The consumer's side of DLPack, against a producer of our own that counts what is given back."""
import ctypes
import gc

import numpy as np
import pytest

import vkv
from vkv import _dlpack

_new = ctypes.pythonapi.PyCapsule_New
_new.restype, _new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
_name = ctypes.pythonapi.PyCapsule_GetName
_name.restype, _name.argtypes = ctypes.c_char_p, [ctypes.py_object]


class Producer:
    """Exports an array; `deleted` counts calls of the deleter, `asked` holds the arguments of __dlpack__."""

    def __init__(self, array, versioned=True, flags=0, device=(1, 0), code=None, major=1, has_deleter=True,
                 compact=False):
        self.array, self.versioned, self.device = array, versioned, device
        self.deleted, self.asked = 0, []
        self.deleter = _dlpack._Deleter(self._delete) if has_deleter else _dlpack._Deleter(0)
        self.shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        self.strides = (ctypes.c_int64 * array.ndim)(*(stride // array.itemsize for stride in array.strides))
        self.managed = (_dlpack._ManagedVersioned if versioned else _dlpack._Managed)()
        self.managed.deleter = self.deleter
        if versioned:
            self.managed.major, self.managed.minor, self.managed.flags = major, 0, flags
        codes = {"f": 2, "i": 0, "u": 1}
        tensor = self.managed.tensor
        tensor.data, tensor.byte_offset = array.ctypes.data - 16, 16
        tensor.device_type, tensor.device_id = device
        tensor.ndim, tensor.bits, tensor.lanes = array.ndim, 8 * array.itemsize, 1
        tensor.code = codes[array.dtype.kind] if code is None else code
        tensor.shape = self.shape
        if not compact:
            tensor.strides = self.strides

    def _delete(self, address):
        assert address == ctypes.addressof(self.managed)
        self.deleted += 1

    def __dlpack_device__(self):
        return self.device

    def __dlpack__(self, **options):
        self.asked.append(options)
        if not self.versioned and "max_version" in options:
            raise TypeError("unexpected keyword argument 'max_version'")
        name = b"dltensor_versioned" if self.versioned else b"dltensor"
        self.capsule = _new(ctypes.addressof(self.managed), name, None)
        return self.capsule


both = pytest.mark.parametrize("versioned", [True, False], ids=["1.x", "0.x"])


@both
def test_view(versioned):
    x = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]
    producer = Producer(x, versioned)
    view = vkv.tensor(producer)
    assert (view.address, view.dtype, view.shape, view.strides) == (x.ctypes.data, vkv.Dtype.F32, (3, 2), (4, 2))
    assert (view.device, view.readonly) == ("cpu", False)
    assert _name(producer.capsule) == (b"used_dltensor_versioned" if versioned else b"used_dltensor")
    assert producer.deleted == 0, "given back while the view is there"
    del view
    gc.collect()
    assert producer.deleted == 1


@both
def test_a_call_gives_back_once(versioned, cpu):
    source, codes = Producer(np.ones(4, np.float32), versioned), np.zeros(4, np.uint8)
    cpu.convert_fp8(dst=vkv.tensor(codes, dtype="e4m3"), src=source)
    gc.collect()
    assert source.deleted == 1 and bytes(codes) == b"\x38" * 4


def test_a_failing_call_gives_back_once(cpu):
    source, wrong, other = (Producer(np.ones(4, np.float32)) for _ in range(3))
    with pytest.raises(vkv.InvalidArgumentError) as refused:
        cpu.convert_fp8(dst=wrong, src=source)
    with pytest.raises(TypeError) as no_tensor:
        cpu.convert_fp8(dst=other, src=object())
    assert (source.deleted, wrong.deleted, other.deleted) == (1, 1, 1), "kept as long as the exception"
    del refused, no_tensor
    gc.collect()
    assert (source.deleted, wrong.deleted, other.deleted) == (1, 1, 1)


def test_supported_gives_back(cpu):
    source = Producer(np.ones(4, np.float32))
    assert cpu.convert_fp8_supported(dst=vkv.spec("e4m3", (4,)), src=source) and source.deleted == 1


@pytest.mark.parametrize("changes, error, sentence", [
    (dict(major=2), BufferError, "DLPack 2.0 is not understood"),
    (dict(flags=2), BufferError, "made a copy"),
    (dict(device=(7, 0)), ValueError, "DLPack device type 7"),
    (dict(code=5), ValueError, "complex32 have no dtype"),
    (dict(code=99), ValueError, "DLPack type 99"),
])
def test_refused_and_given_back(changes, error, sentence):
    producer = Producer(np.ones(4, np.float32), **changes)
    with pytest.raises(error, match=sentence):
        vkv.tensor(producer)
    assert producer.deleted == 1


def test_without_deleter_and_strides():
    x = np.ones((2, 3), np.int64)
    view = vkv.tensor(Producer(x, has_deleter=False, compact=True))
    assert (view.shape, view.strides) == ((2, 3), None)
    view.release()


@pytest.mark.parametrize("code, name", [(10, "FP8_E4M3"), (12, "FP8_E5M2"), (1, "U8")])
def test_one_byte_types(code, name):
    assert vkv.tensor(Producer(np.ones(4, np.uint8), code=code)).dtype == vkv.Dtype[name]


def test_bfloat16():
    assert vkv.tensor(Producer(np.ones(4, np.uint16), code=4)).dtype == vkv.Dtype.BF16


def test_a_capsule_is_taken_once():
    producer = Producer(np.ones(4, np.float32))
    used = producer.__dlpack__()
    producer.__dlpack__ = None
    _dlpack._set_name(used, b"used_dltensor_versioned")

    class Again:
        def __dlpack__(self, **_):
            return used

        def __dlpack_device__(self):
            return 1, 0

    with pytest.raises(ValueError, match="PyCapsule_GetPointer"):
        vkv.tensor(Again())
    assert producer.deleted == 0


def test_read_only_outputs_are_refused(cpu):
    producer = Producer(np.zeros(4, np.float32), flags=1)
    codes = vkv.tensor(np.full(4, 0x38, np.uint8), dtype="e4m3")
    with pytest.raises(vkv.InvalidArgumentError, match="dst is read-only"):
        cpu.convert_fp8(dst=producer, src=codes)
    assert producer.deleted == 1 and not producer.array.any()


def test_numpy_s_own_read_only_arrays(cpu):
    x = np.ones(4, np.float32)
    x.flags.writeable = False

    class Only:
        __dlpack__, __dlpack_device__ = x.__dlpack__, x.__dlpack_device__

    try:
        x.__dlpack__(max_version=(1, 0))
    except (TypeError, BufferError):
        pytest.skip("this numpy exports no read-only arrays")
    assert vkv.tensor(Only()).readonly


@pytest.mark.parametrize("stream, told", [(None, 1), (0, 1), (0x5000, 0x5000)])
def test_cuda_producers_are_told_the_stream(stream, told):
    producer = Producer(np.ones(4, np.float32), device=(2, 3))
    view = vkv.tensor(producer, stream=stream)
    assert producer.asked == [{"stream": told, "max_version": (1, 0)}]
    assert (view.device, view.ordinal) == ("cuda", 3)


def test_host_producers_are_not_told_a_stream(cpu):
    source, codes = Producer(np.ones(4, np.float32)), np.zeros(4, np.uint8)
    cpu.convert_fp8(dst=vkv.tensor(codes, dtype="e4m3"), src=source, stream=0x5000)
    assert source.asked == [{"max_version": (1, 0)}]


def test_the_tensors_of_a_call_are_asked_for_on_its_stream(cpu):
    """Refused here, for there is no GPU; but not before the producer was asked."""
    producer = Producer(np.ones(4, np.float32), device=(2, 0))
    with pytest.raises(vkv.InvalidArgumentError, match="src is cuda memory"):
        cpu.convert_fp8(dst=vkv.spec("e4m3", (4,)), src=producer, stream=0x5000)
    assert producer.asked == [{"stream": 0x5000, "max_version": (1, 0)}] and producer.deleted == 1
