// Memory of the CPU or, with the CUDA runtime at build time, of the GPU; 256-byte aligned, freed with its owner.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>

#ifdef DECODE_STEP_CUDA
#include <cuda_runtime_api.h>
#endif

enum class Device { kCpu, kCuda };

class Memory {
 public:
  Memory(Device device, std::size_t size) : device_(device), size_(size) {
    if (size == 0) return;
    if (device == Device::kCuda) {
#ifdef DECODE_STEP_CUDA
      require(cudaMalloc(&data_, size));
#else
      throw std::runtime_error("this example was built without the CUDA runtime");
#endif
    } else if ((data_ = std::aligned_alloc(256, (size + 255) / 256 * 256)) == nullptr) {
      throw std::bad_alloc();
    }
  }
  ~Memory() {
#ifdef DECODE_STEP_CUDA
    if (device_ == Device::kCuda) cudaFree(data_);
#endif
    if (device_ == Device::kCpu) std::free(data_);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  void* data() const { return data_; }
  std::size_t size() const { return size_; }
  void upload(const void* host) { copy(data_, host); }
  void download(void* host) const { copy(host, data_); }

 private:
  void copy(void* to, const void* from) const {
#ifdef DECODE_STEP_CUDA
    if (device_ == Device::kCuda) return require(cudaMemcpy(to, from, size_, cudaMemcpyDefault));
#endif
    std::memcpy(to, from, size_);
  }
#ifdef DECODE_STEP_CUDA
  static void require(cudaError_t status) {
    if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorString(status));
  }
#endif

  Device device_;
  std::size_t size_;
  void* data_ = nullptr;
};
