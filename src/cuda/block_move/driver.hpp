// Driver functions that the runtime does not offer, looked up when first needed; null where the driver lacks one.
#pragma once

#include <cudaTypedefs.h>
#include <cuda_runtime_api.h>

namespace vkv::cuda {

struct Driver {
  PFN_cuPointerGetAttributes_v7000 pointer_attributes = nullptr;
  PFN_cuMemcpyBatchAsync_v12080 memcpy_batch = nullptr;  // the form that says which copy failed
};

inline const Driver& driver() {
  static const Driver found = [] {
    const auto find = [](const char* name, unsigned version) {
      void* function = nullptr;
      cudaDriverEntryPointQueryResult result;
      const cudaError_t status = cudaGetDriverEntryPointByVersion(name, &function, version, cudaEnableDefault, &result);
      return status == cudaSuccess && result == cudaDriverEntryPointSuccess ? function : nullptr;
    };
    Driver d;
    d.pointer_attributes = reinterpret_cast<PFN_cuPointerGetAttributes_v7000>(find("cuPointerGetAttributes", 7000));
    d.memcpy_batch = reinterpret_cast<PFN_cuMemcpyBatchAsync_v12080>(find("cuMemcpyBatchAsync", 12080));
    return d;
  }();
  return found;
}

}  // namespace vkv::cuda
