// Every CUDA call of the backend goes through here: device selection and restore, the launch, its error.
#pragma once

#include <cuda_runtime.h>

#include "core/error.hpp"
#include "cuda/context.hpp"

namespace vkv::cuda {

inline void require(const char* what, cudaError_t status) {
  if (status != cudaSuccess) fail(VKV_ERROR_CUDA, "%s: %s (%s)", what, cudaGetErrorString(status), cudaGetErrorName(status));
}

// Makes the context's device current for a scope.
class DeviceGuard {
 public:
  explicit DeviceGuard(int device) : device_(device) {
    require("cudaGetDevice", cudaGetDevice(&previous_));
    if (previous_ != device_) require("cudaSetDevice", cudaSetDevice(device_));
  }
  ~DeviceGuard() {
    if (previous_ != device_) cudaSetDevice(previous_);
  }
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int device_, previous_ = 0;
};

// Enqueues kernel(params) and reports the launch's own error. Grids are one-dimensional; `cluster`: CTAs of a cluster.
template <class Params>
void launch(const CudaContext& ctx, void (*kernel)(Params), int64_t blocks, unsigned threads, std::size_t shared_bytes,
            vkv_stream stream, const Params& params, unsigned cluster = 1) {
  const DeviceGuard guard(ctx.device);
  void* arguments[] = {const_cast<Params*>(&params)};
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim = {cluster, 1, 1};
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = cluster > 1 ? 1 : 0;
  require("kernel launch", cudaLaunchKernelExC(&config, reinterpret_cast<const void*>(kernel), arguments));
}

}  // namespace vkv::cuda
