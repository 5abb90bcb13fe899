"""Every operation through its method, on every device: right results, in the caller's memory and nowhere else."""
import numpy as np
import pytest

import operations
import vkv
from devices import Numpy, store_array

every_call = pytest.mark.parametrize("make", operations.ALL, ids=lambda make: make.__name__)


def stored_tensors(call, device):
    return {name: store_array(device, *(given if isinstance(given, tuple) else (given,)), host=name in call.host)
            for name, given in call.tensors.items()}


def run(call, device, tensors):
    """Calls the operation as it is, after asking whether it is supported."""
    fields = {name: stored.tensor for name, stored in tensors.items()}
    method = getattr(device.context, call.op)
    supported = getattr(device.context, f"{call.op}_supported")(**fields, **call.numbers)
    assert supported, supported.message
    scratch = {"workspace": device.workspace} if hasattr(device.context, f"{call.op}_workspace_size") else {}
    method(**fields, **call.numbers, **scratch, stream=device.stream)
    device.context.check_device_report()


@every_call
def test_result(make, device):
    call = make()
    tensors = stored_tensors(call, device)
    before = {name: stored.bytes() for name, stored in tensors.items()}
    run(call, device, tensors)
    for name, stored in tensors.items():
        if name in call.expected:
            expected = call.expected[name]
            given = call.tensors[name]
            dtype = given[1] if isinstance(given, tuple) else {4: "f32", 1: "u8"}[given.dtype.itemsize]
            np.testing.assert_allclose(stored.array(dtype, expected.shape), expected, rtol=0, atol=call.close)
            assert stored.bytes() != before[name], f"{name} was not written; the case shows nothing"
        elif name not in ("exp_sums", "max_logits", "tmp_out"):
            assert stored.bytes() == before[name], f"{name} was written"


def test_every_operation_has_a_call():
    called = {make.__name__ for make in operations.ALL} | {"swap_blocks_batch", "copy_blocks"}
    assert called == {op.name.lower() for op in vkv.Op}


@pytest.mark.parametrize("op", vkv.Op, ids=lambda op: op.name)
def test_every_function_of_the_header_is_a_method(op):
    name = op.name.lower()
    assert callable(getattr(vkv.Context, name)) and callable(getattr(vkv.Context, f"{name}_supported"))
    text = getattr(vkv.Context, name).__doc__
    assert "Arguments:" in text and ("[" in text or "any shape" in text), "no shapes in the docstring"


@every_call
def test_outputs_must_be_writable_and_inputs_need_not(make):
    call, device = make(), Numpy()
    with vkv.Context("cpu") as device.context:
        written = set(call.expected) | ({"exp_sums", "max_logits", "tmp_out"} & set(call.tensors))
        for name in call.tensors:
            arrays = {n: np.array(g[0] if isinstance(g, tuple) else g) for n, g in call.tensors.items()}
            arrays[name].flags.writeable = False
            fields = {n: vkv.tensor(a, dtype=call.tensors[n][1]) if isinstance(call.tensors[n], tuple) else a
                      for n, a in arrays.items()}
            method = getattr(device.context, call.op)
            if name in written:
                with pytest.raises(vkv.InvalidArgumentError, match=f"vkv_{call.op}: {name} is read-only"):
                    method(**fields, **call.numbers)
            else:
                method(**fields, **call.numbers)


def test_swap_blocks_batch(device):
    source = store_array(device, np.arange(32, dtype=np.uint8))
    target = store_array(device, np.zeros(32, np.uint8))
    base, to = vkv.tensor(source.tensor).address, vkv.tensor(target.tensor).address
    device.context.swap_blocks_batch(src_ptrs=vkv.addresses([base, base + 10]), sizes=vkv.addresses([3, 5]),
                                     dst_ptrs=vkv.addresses([to + 4, to + 20]), flags=vkv.SWAP_SOURCE_ORDER_ANY,
                                     stream=device.stream)
    expected = np.zeros(32, np.uint8)
    expected[4:7], expected[20:25] = [0, 1, 2], [10, 11, 12, 13, 14]
    assert target.bytes() == expected.tobytes()


def test_copy_blocks(device):
    before = [np.arange(12, dtype=np.float32).reshape(4, 3) + 100 * i for i in range(4)]
    stored = [store_array(device, array) for array in before]
    caches = [cache.tensor for cache in stored]
    device.context.copy_blocks(key_caches=vkv.addresses(caches[:2]), value_caches=vkv.addresses(caches[2:]),
                               block_mapping=store_array(device, np.array([[0, 3], [2, 1]])).tensor, num_blocks=4,
                               block_size_in_bytes=12, stream=device.stream)
    for array, cache in zip(before, stored):
        array[3], array[1] = array[0], array[2]
        assert cache.bytes() == array.tobytes()
