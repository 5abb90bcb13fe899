// What the CUDA-only tests share: the eager device, or word that there is none.
#pragma once

#include <cuda_runtime_api.h>

#include "support/catch.hpp"
#include "support/device.hpp"

namespace cuda_test {

inline const support::Device* device() {
  for (const support::Device& d : support::devices()) {
    if (d.name == "cuda") return &d;
  }
  WARN("skipped: no CUDA device");
  return nullptr;
}

#define VKV_CUDA_OK(call)                          \
  do {                                             \
    const cudaError_t vkv_status = (call);         \
    INFO(cudaGetErrorString(vkv_status));          \
    REQUIRE(vkv_status == cudaSuccess);            \
  } while (false)

}  // namespace cuda_test
