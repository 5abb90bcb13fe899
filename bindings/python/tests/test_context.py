"""Contexts: creation, description, device report, closing."""
import numpy as np
import pytest

import vkv


def test_info():
    with vkv.Context("cpu", num_threads=2) as context:
        assert context.info.backend is vkv.Backend.CPU and context.info.num_threads == 2 and context.info.name
        assert context.info.name in repr(context)


@pytest.mark.parametrize("backend", ["auto", vkv.Backend.CPU, 2, "CPU"])
def test_backends(backend):
    vkv.Context(backend).close()


@pytest.mark.parametrize("arguments, error, sentence", [
    (("gpu",), vkv.InvalidArgumentError, "backend is 'gpu', expected 'auto', 'cuda' or 'cpu'"),
    ((9,), vkv.InvalidArgumentError, "backend is 9, expected 0 to 2"),
    (("cpu", 1), vkv.InvalidArgumentError, "device is 1, expected 0"),
    (("cpu", 0, -1), vkv.InvalidArgumentError, "num_threads is -1"),
    (("cpu", 0, 2**40), vkv.InvalidArgumentError, "num_threads is 1099511627776, which is no 32-bit number"),
    (("cuda", 99), vkv.NoDeviceError, "vkv_context_create: "),
])
def test_refused(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        vkv.Context(*arguments)


def test_closed_contexts_raise():
    context = vkv.Context("cpu")
    context.close()
    context.close()
    with pytest.raises(ValueError, match="the context is closed"):
        context.convert_fp8(dst=vkv.spec("e4m3", (1,)), src=vkv.spec("f32", (1,)))
    assert repr(context) == "vkv.Context(closed)"


def test_device_report(cpu):
    assert cpu.read_device_report() is None
    cpu.check_device_report()
    entry, cache = np.ones((2, 4), "f"), np.zeros((1, 2, 8), "f")
    write = dict(kv_c=entry, k_pe=entry, kv_cache=cache, slot_mapping=np.array([5, 9]))
    cpu.concat_and_cache_mla(**write)
    report = cpu.read_device_report()
    assert (report.count, report.op, report.what, report.limit) == (2, vkv.Op.CONCAT_AND_CACHE_MLA, vkv.Report.SLOT, 2)
    assert (report.index, report.value) in [(0, 5), (1, 9)] and "concat_and_cache_mla: slot" in report.message
    assert cpu.read_device_report() is None, "reading did not clear"
    cpu.concat_and_cache_mla(**write)
    with pytest.raises(vkv.DeviceReportError, match="is outside") as caught:
        cpu.check_device_report()
    assert caught.value.report.count == 2


class HasCudaStream:
    cuda_stream = 0x1234


class HasPointer:
    ptr = 0x1234


class HasProtocol:
    def __cuda_stream__(self):
        return 0, 0x1234


@pytest.mark.parametrize("stream, handle", [
    (None, 0), (0x1234, 0x1234), (HasCudaStream(), 0x1234), (HasPointer(), 0x1234), (HasProtocol(), 0x1234),
    (np.int64(7), 7),
])
def test_streams(stream, handle):
    from vkv._stream import stream_handle
    assert stream_handle(stream) == handle


@pytest.mark.parametrize("stream, error", [
    ("default", TypeError), (1.5, TypeError), (-1, ValueError), (2**64, ValueError),
])
def test_what_is_no_stream(cpu, stream, error):
    with pytest.raises(error, match="stream is"):
        cpu.convert_fp8(dst=vkv.spec("e4m3", (1,)), src=vkv.spec("f32", (1,)), stream=stream)


def test_version():
    assert vkv.__version__ == vkv.version() and vkv.build_info().startswith(f"libvkv {vkv.version()}")
