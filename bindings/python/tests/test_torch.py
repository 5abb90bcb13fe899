"""What torch alone can show. Every test with a `device` runs on torch's tensors too, where torch is."""
import gc
import weakref

import pytest

import vkv
from conftest import missing

cpu_only = pytest.mark.skipif(missing("cpu") is not None, reason=str(missing("cpu")))
cuda = pytest.mark.skipif(missing("cuda") is not None, reason=str(missing("cuda")))


@pytest.fixture
def torch():
    import torch
    return torch


@pytest.fixture
def gpu():
    with vkv.Context("cuda") as context:
        yield context


@cpu_only
def test_dtypes(torch):
    types = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "U8": torch.uint8, "I32": torch.int32,
             "I64": torch.int64}
    for expected, dtype in types.items():
        view = vkv.tensor(torch.zeros(2, 3, dtype=dtype).t())
        assert (view.dtype, view.shape, view.strides) == (vkv.Dtype[expected], (3, 2), (1, 3))


@cpu_only
@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2"])
def test_float8(torch, name):
    x = torch.zeros(4, dtype=getattr(torch, name))
    try:
        x.__dlpack__()
    except Exception as error:
        pytest.skip(f"this torch does not export it: {error}")
    assert vkv.tensor(x).dtype == vkv.Dtype["FP8_" + name[7:11].upper()]


@cpu_only
def test_expanded_numbers_are_refused(torch, cpu):
    codes = vkv.tensor(torch.zeros(4, dtype=torch.uint8), dtype="e4m3")
    with pytest.raises(vkv.InvalidArgumentError, match="all strides are 0"):
        cpu.convert_fp8(dst=codes, src=torch.zeros(1).expand(4))


def convert(context, torch, n, stream=None):
    source = torch.arange(n, device="cuda", dtype=torch.float32) % 8
    codes = torch.zeros(n, device="cuda", dtype=torch.uint8)
    back = torch.zeros(n, device="cuda", dtype=torch.float32)
    narrow = vkv.tensor(codes, dtype="e4m3", stream=stream)
    context.convert_fp8(dst=narrow, src=source, stream=stream)
    context.convert_fp8(dst=back, src=narrow, stream=stream)
    return source, back


@cuda
@pytest.mark.parametrize("kind", ["torch stream", "integer", "default"])
def test_streams(torch, gpu, kind):
    side = torch.cuda.Stream()
    with torch.cuda.stream(side if kind != "default" else torch.cuda.default_stream()):
        stream = {"torch stream": side, "integer": side.cuda_stream, "default": None}[kind]
        source, back = convert(gpu, torch, 1 << 20, stream)
        torch.cuda.current_stream().synchronize()
    assert torch.equal(source, back)


@cuda
def test_pending_work_of_another_stream_is_done_first(torch, gpu):
    """DLPack: the producer makes the call's stream wait for what its current stream still has to do."""
    n, side = 1 << 22, torch.cuda.Stream()
    codes = torch.zeros(n, device="cuda", dtype=torch.uint8)
    source = torch.zeros(n, device="cuda")
    torch.cuda.synchronize()
    torch.cuda._sleep(20_000_000)
    source.fill_(1.0)  # on the default stream, behind the sleep
    gpu.convert_fp8(dst=vkv.tensor(codes, dtype="e4m3", stream=side), src=source, stream=side)
    torch.cuda.synchronize()
    assert bool((codes == 0x38).all())


@cuda
def test_graph_capture(torch, gpu):
    source = torch.ones(1024, device="cuda")
    codes = torch.zeros(1024, device="cuda", dtype=torch.uint8)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        stream = torch.cuda.current_stream()
        gpu.convert_fp8(dst=vkv.tensor(codes, dtype="e4m3", stream=stream), src=source, stream=stream)
    torch.cuda.synchronize()
    assert bool((codes == 0).all()), "the call ran during capture"
    source.fill_(2.0)
    graph.replay()
    torch.cuda.synchronize()
    assert bool((codes == 0x40).all())


@cuda
def test_host_memory_is_refused_on_cuda_and_the_other_way_round(torch, gpu, cpu):
    host, device = torch.zeros(4), torch.zeros(4, device="cuda")
    codes = torch.zeros(4, dtype=torch.uint8)
    with pytest.raises(vkv.InvalidArgumentError, match="src is cpu memory, expected CUDA device memory"):
        gpu.convert_fp8(dst=vkv.tensor(codes.cuda(), dtype="e4m3"), src=host)
    with pytest.raises(vkv.InvalidArgumentError, match="src is cuda memory, expected host memory"):
        cpu.convert_fp8(dst=vkv.tensor(codes, dtype="e4m3"), src=device)


@cuda
def test_swap_between_host_and_device(torch, gpu):
    host = torch.arange(12, dtype=torch.float32).reshape(4, 3).pin_memory()
    pool = torch.zeros(4, 3, device="cuda")
    mapping = torch.tensor([[0, 2], [3, 1]])
    gpu.swap_blocks(src=host, dst=pool, block_mapping=mapping, stream=torch.cuda.current_stream())
    torch.cuda.synchronize()
    assert torch.equal(pool.cpu()[[2, 1]], host[[0, 3]])


@cuda
def test_device_report(torch, gpu):
    entry, cache = torch.ones(1, 4, device="cuda"), torch.zeros(1, 2, 8, device="cuda")
    gpu.concat_and_cache_mla(kv_c=entry, k_pe=entry, kv_cache=cache, slot_mapping=torch.tensor([5], device="cuda"))
    torch.cuda.synchronize()
    with pytest.raises(vkv.DeviceReportError, match="slot 5"):
        gpu.check_device_report()
    assert gpu.read_device_report() is None


@cuda
def test_nothing_is_kept(torch, gpu):
    source = torch.ones(8, device="cuda")
    watched = weakref.ref(source)
    codes = torch.zeros(8, device="cuda", dtype=torch.uint8)
    before = torch.cuda.memory_allocated()
    gpu.convert_fp8(dst=vkv.tensor(codes, dtype="e4m3"), src=source)
    torch.cuda.synchronize()
    del source
    gc.collect()
    assert watched() is None and torch.cuda.memory_allocated() < before


@cuda
def test_workspace_must_be_brought(torch, gpu):
    query = torch.zeros(1, 1, 64, device="cuda", dtype=torch.float16)
    cache = torch.zeros(4096, 16, 1, 64, device="cuda", dtype=torch.float16)
    fields = dict(query=query, out=query.clone(), key_cache=cache, value_cache=cache,
                  block_table=torch.arange(4096, device="cuda", dtype=torch.int32)[None],
                  seq_lens=torch.tensor([65536], device="cuda", dtype=torch.int32))
    size = gpu.paged_attention_workspace_size(**fields)
    if size == 0:
        pytest.skip("no workspace is needed")
    with pytest.raises(vkv.WorkspaceTooSmallError, match=str(size)):
        gpu.paged_attention(**fields)
    gpu.paged_attention(**fields, workspace=torch.empty(size, dtype=torch.uint8, device="cuda"))
    torch.cuda.synchronize()
