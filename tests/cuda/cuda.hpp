// What the CUDA-only tests share: the eager device, or word that there is none; memory and streams of a scope.
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

// Device memory without a host image.
class Buffer {
 public:
  explicit Buffer(std::size_t bytes) { VKV_CUDA_OK(cudaMalloc(&data_, bytes > 0 ? bytes : 1)); }
  ~Buffer() { cudaFree(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  char* data() const { return static_cast<char*>(data_); }

 private:
  void* data_ = nullptr;
};

struct Stream {
  Stream() { VKV_CUDA_OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking)); }
  ~Stream() { cudaStreamDestroy(stream); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  cudaStream_t stream = nullptr;
};

}  // namespace cuda_test
