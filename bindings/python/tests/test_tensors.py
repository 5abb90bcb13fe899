"""What the package reads off a tensor, for every protocol but DLPack, and what it refuses to read."""
import array
import ctypes
import gc
import sys
import weakref

import numpy as np
import pytest

import vkv


class FakeCuda:
    """What a CUDA array tells, without a GPU."""

    def __init__(self, **changes):
        self.__cuda_array_interface__ = {"shape": (2, 3), "typestr": "<f4", "data": (0x7000_0000, False), "version": 3,
                                         "strides": None, "stream": 1, **changes}


class Extension:
    """An array of a type that numpy has no word for, as ml_dtypes makes them."""

    class dtype:
        name = "bfloat16"

    def __init__(self, storage):
        self.storage = storage
        self.__array_interface__ = {**storage.__array_interface__, "typestr": "<V2"}


@pytest.mark.parametrize("native, dtype", [
    (np.float16, "F16"), (np.float32, "F32"), (np.uint8, "U8"), (np.int32, "I32"), (np.int64, "I64"),
])
def test_numpy(native, dtype):
    x = np.zeros((4, 6, 2), native)[1:, ::2]
    view = vkv.tensor(x)
    assert (view.address, view.dtype) == (x.ctypes.data, vkv.Dtype[dtype])
    assert (view.shape, view.strides) == ((3, 3, 2), (12, 4, 1))
    assert (view.device, view.readonly, view.nbytes) == ("cpu", False, x.nbytes)


def test_compact_arrays_are_told_as_compact():
    assert vkv.tensor(np.zeros((4, 6))[:, :0].astype("f")).shape == (4, 0)
    assert vkv.tensor(np.zeros((4, 6), "f")).strides is None


def test_empty_broadcasts_are_nothing_to_refuse():
    assert vkv.tensor(np.broadcast_to(np.float32(1), (0, 5))).shape == (0, 5)


def test_numbers_are_tensors_of_one():
    x = np.float32(2)
    assert vkv.tensor(np.array(x)).shape == (1,) and vkv.tensor(x).shape == (1,)


@pytest.mark.parametrize("x, dtype, name", [
    (np.zeros(4, np.uint8), "fp8_e4m3", "FP8_E4M3"), (np.zeros(4, np.int8), "e5m2", "FP8_E5M2"),
    (np.zeros(4, np.uint8), "nvfp4", "NVFP4"), (np.zeros(4, np.uint8), vkv.Dtype.FP8_DS_MLA, "FP8_DS_MLA"),
    (np.zeros(4, np.uint16), "bf16", "BF16"), (np.zeros(4, np.uint64), "i64", "I64"),
    (Extension(np.zeros(4, np.uint16)), None, "BF16"),
], ids=str)
def test_dtype_of_storage(x, dtype, name):
    assert vkv.tensor(x, dtype=dtype).dtype == vkv.Dtype[name]
    assert vkv.tensor(vkv.tensor(x, dtype=dtype)).dtype == vkv.Dtype[name]


@pytest.mark.parametrize("x, dtype, sentence", [
    (np.zeros(4), None, "elements of type float64 have no dtype here"),
    (np.zeros(4, np.uint16), None, "uint16 have no dtype"),
    (np.zeros(4, bool), None, "bool8 have no dtype"),
    (np.zeros(4, ">f4"), None, "big-endian"),
    (np.zeros(4, "f"), "e4m3", "float32 cannot be viewed as fp8_e4m3, which has 1 bytes"),
    (np.zeros(4, "f"), "float7", "dtype 'float7' is unknown, expected one of bf16"),
    (np.broadcast_to(np.float32(1), (4,)), None, "all strides are 0"),
    (np.zeros((2,) * 7, "f"), None, "at most 6 dimensions"),
    (np.zeros(4, "c8"), None, "complex64 have no dtype"),
    (FakeCuda(mask=np.zeros(1)), None, "masked"),
    (FakeCuda(typestr="<f8"), None, "float64"),
    (array.array("d", [1]), None, "float64"),
    (array.array("f", [1]), "bf16", "float32 cannot be viewed as bf16"),
])
def test_refused(x, dtype, sentence):
    with pytest.raises(ValueError, match=sentence):
        vkv.tensor(x, dtype=dtype)


def test_unaligned_strides_are_refused():
    records = np.zeros(4, np.dtype([("a", "f4"), ("b", "u1")]))
    with pytest.raises(ValueError, match=r"strides of \(5,\) bytes are not multiples of the 4-byte elements"):
        vkv.tensor(records["a"])


@pytest.mark.parametrize("x", [3, "text", [1.0], object()], ids=repr)
def test_no_tensor(x):
    with pytest.raises(TypeError, match=f"a {type(x).__name__} is no tensor"):
        vkv.tensor(x)


def test_negative_strides_are_the_library_s_to_refuse(cpu):
    codes = vkv.tensor(np.zeros(4, np.uint8), dtype="e4m3")
    with pytest.raises(vkv.InvalidArgumentError, match=r"src.stride\[0\] is -1"):
        cpu.convert_fp8(dst=codes, src=np.zeros(4, "f")[::-1])


def test_cuda_array_interface():
    view = vkv.tensor(FakeCuda(strides=(4, 8), data=(0x7000_0000, True)))
    assert (view.address, view.dtype, view.shape, view.strides) == (0x7000_0000, vkv.Dtype.F32, (2, 3), (1, 2))
    assert (view.device, view.ordinal, view.readonly) == ("cuda", None, True)
    assert vkv.tensor(FakeCuda(typestr="|u1"), dtype="e4m3").dtype == vkv.Dtype.FP8_E4M3


def test_cuda_memory_is_refused_on_the_cpu(cpu):
    codes = vkv.tensor(np.zeros((2, 3), np.uint8), dtype="e4m3")
    with pytest.raises(vkv.InvalidArgumentError, match="vkv_convert_fp8: src is cuda memory, expected host memory"):
        cpu.convert_fp8(dst=codes, src=FakeCuda())


@pytest.mark.parametrize("x, dtype, readonly", [
    (bytearray(4), "U8", False), (b"1234", "U8", True), (array.array("f", [1, 2]), "F32", False),
    (array.array("i", [1]), "I32", False), (array.array("q", [1]), "I64", False),
    ((ctypes.c_float * 3)(), "F32", False), (memoryview(bytearray(8)).cast("i", (2, 1)), "I32", False),
], ids=lambda x: type(x).__name__)
def test_buffers(x, dtype, readonly):
    view = vkv.tensor(x)
    assert view.dtype == vkv.Dtype[dtype] and view.readonly == readonly
    assert view.nbytes == memoryview(x).nbytes
    if not readonly:
        memoryview(x).cast("B")[0] = 7
        assert ctypes.string_at(view.address, 1) == b"\7"


def test_buffers_are_given_back(cpu):
    codes = bytearray(2)
    source = array.array("f", [1, 1])
    cpu.convert_fp8(dst=vkv.tensor(codes, dtype="e4m3"), src=source)
    source.append(3)  # a BufferError if the call had kept the buffer
    codes.append(0)
    assert bytes(codes) == b"\x38\x38\x00"


def test_a_view_keeps_its_array_and_a_call_keeps_nothing(cpu):
    source, codes = np.ones(4, "f"), np.zeros(4, np.uint8)
    counts = sys.getrefcount(source), sys.getrefcount(codes)
    view = vkv.tensor(codes, dtype="e4m3")
    assert sys.getrefcount(codes) == counts[1] + 1
    cpu.convert_fp8(dst=view, src=source)
    with pytest.raises(vkv.InvalidArgumentError) as caught:
        cpu.convert_fp8(dst=source, src=source)
    del caught
    gc.collect()
    assert sys.getrefcount(source) == counts[0]
    watched = weakref.ref(codes)
    del codes
    assert watched() is not None, "the view lost its array"
    del view
    gc.collect()
    assert watched() is None, "a view that is gone still keeps its array"


def test_addresses(cpu):
    arrays = [np.zeros(4, "f"), np.ones(4, "f")]
    listed = vkv.addresses(arrays)
    assert (listed.dtype, listed.shape, listed.device) == (vkv.Dtype.I64, (2,), "cpu")
    assert list((ctypes.c_int64 * 2).from_address(listed.address)) == [x.ctypes.data for x in arrays]
    watched = weakref.ref(arrays.pop())
    assert watched() is not None, "the list of addresses lost a tensor"


def test_addresses_survive_the_garbage_collector():
    listed = vkv.addresses([1, 2, 3])
    gc.collect()
    junk = [bytearray(24) for _ in range(100)]
    assert list((ctypes.c_int64 * 3).from_address(listed.address)) == [1, 2, 3] and junk


def test_raw_addresses(cpu):
    storage = (ctypes.c_float * 6)(1, 9, 1, 9, 1, 9)
    codes = bytearray(3)
    source = vkv.Tensor(ctypes.addressof(storage), "f32", (3,), (2,))
    cpu.convert_fp8(dst=vkv.tensor(codes, dtype="e4m3"), src=source)
    assert codes == b"\x38\x38\x38"
    with pytest.raises(ValueError, match="1 strides for 2 dimensions"):
        vkv.Tensor(0, "f32", (1, 2), (1,))


def test_spec():
    view = vkv.spec("bf16", (4, 8, 128))
    assert (view.address, view.dtype, view.shape) == (0, vkv.Dtype.BF16, (4, 8, 128))
