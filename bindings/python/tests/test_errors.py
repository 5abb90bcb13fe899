"""Refusals: the right exception, with the library's sentence, and nothing written."""
import numpy as np
import pytest

import vkv
from vkv import errors


def caches():
    return dict(key=np.ones((2, 1, 8), "f"), value=np.ones((2, 1, 8), "f"), key_cache=np.zeros((2, 4, 1, 8), "f"),
                value_cache=np.zeros((2, 4, 1, 8), "f"), slot_mapping=np.array([1, 2]))


@pytest.mark.parametrize("field, value, sentence", [
    ("key", np.ones((2, 1, 16), "f")[..., ::2], r"vkv_reshape_and_cache_flash: key.stride\[2\] is 2, expected 1"),
    ("key_cache", np.zeros((2, 4, 1, 16), "f")[..., ::2], r"key_cache.stride\[3\] is 2, expected 1"),
    ("value", np.ones((2, 1, 8), np.float16), "value.dtype is f16, expected f32"),
    ("slot_mapping", np.array([1, 2], np.int32), "slot_mapping.dtype is i32, expected i64"),
    ("slot_mapping", None, "slot_mapping is absent, it is required"),
    ("value_cache", np.zeros((2, 4, 1, 6), "f"), r"value_cache.shape\[3\] is 6, expected 8"),
    ("nvfp4_v_scales", 7, "nvfp4_v_scales is 7"),
    ("flags", 4, None),
])
def test_wrong_stride_dtype_and_more(cpu, field, value, sentence):
    fields = caches()
    fields[field] = value
    error = vkv.NotSupportedError if field == "flags" else vkv.InvalidArgumentError
    with pytest.raises(error, match=sentence or "flags is 0x4") as caught:
        cpu.reshape_and_cache_flash(**fields)
    assert caught.value.status == (200 if field == "flags" else 100)
    assert not fields["key_cache"].any(), "a refused call wrote"
    supported = cpu.reshape_and_cache_flash_supported(**fields)
    assert not supported and supported.status == caught.value.status and supported.message in (
        str(caught.value), str(caught.value).replace("flash:", "flash_supported:"))


def test_statuses_and_classes(monkeypatch):
    for status in vkv.Status:
        if status == vkv.Status.OK:
            assert errors.check(status) is None
            continue
        with pytest.raises(vkv.VkvError) as caught:
            errors.check(status)
        assert caught.value.status is status
        family = {1: vkv.InvalidArgumentError, 2: vkv.NotSupportedError, 3: vkv.CudaError, 4: vkv.InternalError}
        assert isinstance(caught.value, family[status // 100])
    assert issubclass(vkv.WorkspaceTooSmallError, vkv.InvalidArgumentError)
    assert issubclass(vkv.InvalidArgumentError, ValueError)
    with pytest.raises(vkv.NotSupportedError) as caught:
        errors.check(277)  # of a later library
    assert caught.value.status == 277


def attention():
    query, cache = np.zeros((1, 2, 8), "f"), np.zeros((2, 4, 1, 8), "f")
    return dict(query=query, out=query.copy(), key_cache=cache, value_cache=cache, block_table=np.zeros((1, 2), "i"),
                seq_lens=np.array([5], "i"))


def test_workspace(cpu):
    fields = attention()
    size = cpu.paged_attention_workspace_size(**fields)
    assert size > 16
    told = []

    def allocate(bytes):
        told.append(bytes)
        return vkv.tensor(aligned(bytes))

    def aligned(bytes):
        storage = np.zeros(bytes + 255, np.uint8)
        start = -storage.ctypes.data % 256
        return storage[start:start + bytes]

    cpu.paged_attention(**fields, workspace=allocate)
    assert told == [size]
    cpu.paged_attention(**fields, workspace=aligned(size))
    cpu.paged_attention(**fields, workspace=aligned(size).view(np.float32))
    with pytest.raises(vkv.WorkspaceTooSmallError, match=f"workspace_size is 16, expected at least {size}"):
        cpu.paged_attention(**fields, workspace=aligned(16))
    with pytest.raises(vkv.InvalidArgumentError, match="workspace is 0x.*256"):
        cpu.paged_attention(**fields, workspace=aligned(size + 1)[1:])
    with pytest.raises(vkv.InvalidArgumentError, match="workspace is read-only"):
        cpu.paged_attention(**fields, workspace=bytes(size))
    with pytest.raises(TypeError, match="a str is no tensor"):
        cpu.paged_attention(**fields, workspace="much")
    with pytest.raises(vkv.InvalidArgumentError, match="workspace is not contiguous"):
        cpu.paged_attention(**fields, workspace=np.zeros(4 * size, np.uint8)[::2])


@pytest.mark.parametrize("field, value, error, sentence", [
    ("max_seq_len", 2**31, vkv.InvalidArgumentError, "max_seq_len is 2147483648, expected -2147483648 to"),
    ("max_seq_len", -1, vkv.InvalidArgumentError, "max_seq_len is -1, expected at least 0"),
    ("max_seq_len", 1.5, TypeError, "max_seq_len is 1.5, expected an integer"),
    ("flags", -1, vkv.InvalidArgumentError, "flags is -1"),
    ("softmax_scale", "much", TypeError, "softmax_scale is 'much', expected a number"),
    ("cache_layout", "flat", vkv.InvalidArgumentError, "cache_layout is 'flat', expected one of 'strided', 'x_packed'"),
    ("cache_layout", vkv.CacheLayout.X_PACKED, vkv.InvalidArgumentError, "ndim"),
    ("sliding_windows", 1, TypeError, "sliding_windows"),
])
def test_numbers(cpu, field, value, error, sentence):
    with pytest.raises(error, match=sentence):
        cpu.paged_attention(**attention(), **{field: value})


def test_numpy_numbers_are_taken(cpu):
    cpu.paged_attention(**attention(), max_seq_len=np.int64(8), softmax_scale=np.float32(0.5), cache_layout="strided")


def test_missing_arguments_are_python_s_error(cpu):
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'src'"):
        cpu.convert_fp8(dst=np.zeros(4, "f"))
