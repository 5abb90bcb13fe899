"""The devices that tests run on: numpy always; torch on the CPU and on CUDA where they are present."""
import pathlib

import pytest

import vkv
from devices import Numpy, OnlyCudaArrayInterface, OnlyDLPack, Torch

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]


def missing(where):
    """Why there is no torch device of that kind; None if there is one."""
    try:
        import torch
    except ImportError:
        return "torch is not installed"
    if where == "cuda" and not torch.cuda.is_available():
        return "torch has no CUDA device"
    if where == "cuda" and "cuda off" in vkv.build_info():
        return "this libvkv is built without CUDA"
    return None


def torch_device(where, wrap=lambda tensor: tensor):
    import torch
    return Torch(torch, where, wrap)


DEVICES = {"numpy": Numpy, "numpy-dlpack": lambda: Numpy(OnlyDLPack)}
if missing("cpu") is None:
    DEVICES["torch-cpu"] = lambda: torch_device("cpu")
if missing("cuda") is None:
    DEVICES["torch-cuda"] = lambda: torch_device("cuda")
    DEVICES["torch-cuda-array-interface"] = lambda: torch_device("cuda", OnlyCudaArrayInterface)


@pytest.fixture(params=DEVICES)
def device(request):
    device = DEVICES[request.param]()
    with vkv.Context(device.backend) as context:
        device.context = context
        yield device


@pytest.fixture
def cpu():
    with vkv.Context("cpu") as context:
        yield context


@pytest.fixture(scope="session")
def repository():
    """The checkout that the package comes from."""
    if not (REPOSITORY / "include" / "vkv.h").exists():
        pytest.skip("the tests do not lie in a checkout of libvkv")
    return REPOSITORY
