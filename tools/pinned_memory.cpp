#include "tools/pinned_memory.hpp"

#ifdef VKV_TOOLS_CUDA
#include <cuda_runtime_api.h>

#include <cstring>
#include <new>
#endif

namespace tools {

#ifdef VKV_TOOLS_CUDA
namespace {

class PinnedMemory final : public support::Memory {
 public:
  void* allocate(std::size_t bytes) override {
    void* pointer = nullptr;
    if (cudaHostAlloc(&pointer, bytes > 0 ? bytes : 1, cudaHostAllocPortable) != cudaSuccess) throw std::bad_alloc();
    return pointer;
  }
  void release(void* pointer) override { cudaFreeHost(pointer); }
  void to_device(void* to, const void* from, std::size_t bytes) override { copy(to, from, bytes); }
  void to_host(void* to, const void* from, std::size_t bytes) override { copy(to, from, bytes); }
  bool is_host() const override { return true; }

 private:
  static void copy(void* to, const void* from, std::size_t bytes) {
    if (bytes != 0) std::memcpy(to, from, bytes);
  }
};

}  // namespace

support::Memory& pinned_memory(const support::Device& device) {
  static PinnedMemory memory;
  return device.memory->is_host() ? support::host_memory() : memory;
}
#else
support::Memory& pinned_memory(const support::Device&) { return support::host_memory(); }
#endif

}  // namespace tools
