#include "cuda/context.hpp"

#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstring>

#include "cuda/ops.hpp"

namespace vkv::cuda {

namespace {
int attribute(cudaDeviceAttr attr, int device) {
  int value = 0;
  const cudaError_t status = cudaDeviceGetAttribute(&value, attr, device);
  if (status != cudaSuccess) {
    fail(VKV_ERROR_CUDA, "vkv_context_create: device %d: %s", device, cudaGetErrorString(status));
  }
  return value;
}
}  // namespace

CudaContext::CudaContext(int ordinal) : Context(kBackend), device(ordinal) {
  num_sms = attribute(cudaDevAttrMultiProcessorCount, device);
  cc_major = attribute(cudaDevAttrComputeCapabilityMajor, device);
  cc_minor = attribute(cudaDevAttrComputeCapabilityMinor, device);
  cudaDeviceProp properties;
  const cudaError_t status = cudaGetDeviceProperties(&properties, device);
  if (status != cudaSuccess) {
    fail(VKV_ERROR_CUDA, "vkv_context_create: device %d: %s", device, cudaGetErrorString(status));
  }
  std::snprintf(name, sizeof name, "%.*s", static_cast<int>(sizeof name) - 1, properties.name);
}

void CudaContext::describe(vkv_context_info& info) const {
  info.backend = VKV_BACKEND_CUDA;
  info.device = device;
  info.num_sms = num_sms;
  info.cc_major = cc_major;
  info.cc_minor = cc_minor;
  std::memcpy(info.name, name, sizeof info.name);
}

}  // namespace vkv::cuda

namespace vkv {

std::unique_ptr<Context> create_cuda_context(const ContextOptions& options) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    cudaGetLastError();  // the caller's error state is not touched by a device that is not there
    fail(VKV_ERROR_NO_DEVICE, "vkv_context_create: no usable CUDA device: %s", cudaGetErrorString(status));
  }
  if (options.device >= count) {
    fail(VKV_ERROR_NO_DEVICE, "vkv_context_create: device is %d, this machine has %d CUDA device(s)", options.device, count);
  }
  return std::make_unique<cuda::CudaContext>(options.device);
}

bool cuda_device_present() noexcept {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count > 0;
  cudaGetLastError();
  return false;
}

const char* cuda_build_info() noexcept { return VKV_CUDA_BUILD_INFO; }

}  // namespace vkv
