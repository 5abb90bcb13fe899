// The opaque handle: what every backend's context offers to the C entry points.
#pragma once

#include <memory>

#include "core/backend.hpp"

struct vkv_context {
  explicit vkv_context(const vkv::Backend& b) : backend(b) {}
  virtual ~vkv_context() = default;
  vkv_context(const vkv_context&) = delete;
  vkv_context& operator=(const vkv_context&) = delete;

  virtual void describe(vkv_context_info& info) const = 0;
  // Reads and clears the device report; `message` is filled in by the caller.
  virtual vkv_device_report take_report() const = 0;

  const vkv::Backend& backend;
};

namespace vkv {

// Context params after import, range-checked.
struct ContextOptions {
  int32_t device, num_threads;
};

std::unique_ptr<Context> create_cpu_context(const ContextOptions& options);

// Throws NO_DEVICE where this build or this machine has no CUDA device.
std::unique_ptr<Context> create_cuda_context(const ContextOptions& options);
bool cuda_device_present() noexcept;
// For vkv_build_info: architectures and toolkit, or "cuda off".
const char* cuda_build_info() noexcept;

}  // namespace vkv
