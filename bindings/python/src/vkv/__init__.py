"""libvkv: paged attention and KV-cache operations on tensors of any framework, on CUDA and on the CPU.

    with vkv.Context("cpu") as ctx:
        ctx.reshape_and_cache_flash(key=k, value=v, key_cache=kc, value_cache=vc, slot_mapping=slots)
        ctx.paged_attention(query=q, out=out, key_cache=kc, value_cache=vc, block_table=table, seq_lens=lengths)

Every operation is a method of vkv.Context with keyword arguments named as the C header's fields; help() shows the
header's text for each. Results go into the tensors that the caller passes.
"""
from ._abi import (
    SWAP_SOURCE_ORDER_ANY,
    Backend,
    CacheLayout,
    Dtype,
    Nvfp4Scales,
    Op,
    Report,
    Rope,
    ScaleRule,
    Status,
)
from ._context import Context, ContextInfo, DeviceReport
from ._library import build_info, version
from ._operation import Supported
from ._stream import StreamLike
from ._tensor import Tensor, TensorLike, addresses, spec, tensor
from ._workspace import WorkspaceLike
from .errors import (
    CudaError,
    DeviceReportError,
    InternalError,
    InvalidArgumentError,
    NoDeviceError,
    NotSupportedError,
    OutOfMemoryError,
    VkvError,
    WorkspaceTooSmallError,
)

__version__ = version()
__all__ = [
    "Backend", "CacheLayout", "Context", "ContextInfo", "CudaError", "DeviceReport", "DeviceReportError", "Dtype",
    "InternalError", "InvalidArgumentError", "NoDeviceError", "NotSupportedError", "Nvfp4Scales", "Op",
    "OutOfMemoryError", "Report", "Rope", "SWAP_SOURCE_ORDER_ANY", "ScaleRule", "Status", "StreamLike", "Supported",
    "Tensor", "TensorLike", "VkvError", "WorkspaceLike", "WorkspaceTooSmallError", "addresses", "build_info",
    "spec", "tensor", "version",
]
