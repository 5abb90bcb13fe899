// The CUDA backend of a build without CUDA.
#include "core/context.hpp"

namespace vkv {

std::unique_ptr<Context> create_cuda_context(const ContextOptions&) {
  fail(VKV_ERROR_NO_DEVICE, "vkv_context_create: this library was built without CUDA; backends here: cpu");
}

bool cuda_device_present() noexcept { return false; }

const char* cuda_build_info() noexcept { return "cuda off"; }

}  // namespace vkv
