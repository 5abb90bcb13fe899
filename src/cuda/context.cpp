#include "cuda/context.hpp"

#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstring>

#include "cuda/launch.hpp"
#include "cuda/ops.hpp"

namespace vkv::cuda {

namespace {
int attribute(cudaDeviceAttr attr, int device) {
  int value = 0;
  require("vkv_context_create: cudaDeviceGetAttribute", cudaDeviceGetAttribute(&value, attr, device));
  return value;
}
}  // namespace

CudaContext::CudaContext(int ordinal) : Context(kBackend), device(ordinal) {
  num_sms = attribute(cudaDevAttrMultiProcessorCount, device);
  cc_major = attribute(cudaDevAttrComputeCapabilityMajor, device);
  cc_minor = attribute(cudaDevAttrComputeCapabilityMinor, device);
  shared_per_sm = attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor, device);
  shared_per_block = attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  memory_bandwidth = 2e3 * attribute(cudaDevAttrMemoryClockRate, device) * attribute(cudaDevAttrGlobalMemoryBusWidth, device) / 8;
  cudaDeviceProp properties;
  require("vkv_context_create: cudaGetDeviceProperties", cudaGetDeviceProperties(&properties, device));
  std::snprintf(name, sizeof name, "%.*s", static_cast<int>(sizeof name) - 1, properties.name);
  const DeviceGuard guard(device);
  void* words = nullptr;
  require("vkv_context_create: cudaHostAlloc",
          cudaHostAlloc(&words, sizeof(ReportWords), cudaHostAllocPortable | cudaHostAllocMapped));
  report = static_cast<ReportWords*>(words);
  std::memset(report, 0, sizeof *report);
  void* counter = nullptr;
  cudaError_t status = cudaMalloc(&counter, sizeof(uint32_t));
  if (status == cudaSuccess) status = cudaMemset(counter, 0, sizeof(uint32_t));
  if (status != cudaSuccess) {
    cudaFree(counter);
    cudaFreeHost(report);
    require("vkv_context_create: cudaMalloc", status);
  }
  report->counter = static_cast<uint32_t*>(counter);
}

CudaContext::~CudaContext() {
  cudaFree(report->counter);
  cudaFreeHost(report);
}

void CudaContext::describe(vkv_context_info& info) const {
  info.backend = VKV_BACKEND_CUDA;
  info.device = device;
  info.num_sms = num_sms;
  info.cc_major = cc_major;
  info.cc_minor = cc_minor;
  std::memcpy(info.name, name, sizeof info.name);
}

vkv_device_report CudaContext::take_report() const {
  const std::lock_guard<std::mutex> lock(report_mutex_);
  vkv_device_report taken{};
  volatile ReportWords& words = *report;
  const uint32_t seen = words.acknowledged, count = words.count;
  if (count == seen) return taken;
  taken.count = count - seen;
  // Threads meet bad numbers in no order, so of those of one op a sequence's bounds go before what follows from them, and
  // then the lowest index; whose op it is the earliest event says.
  const auto causes = [](int32_t what) { return what == VKV_REPORT_OFFSET || what == VKV_REPORT_LENGTH; };
  const auto is_new = [&](const volatile ReportEvent& e) { return e.tag != 0 && e.tag - 1 - seen < taken.count; };
  uint32_t earliest = kReportRing;
  for (const volatile ReportEvent& event : words.ring) {
    if (!is_new(event) || event.tag - 1 - seen >= earliest) continue;
    earliest = event.tag - 1 - seen;
    taken.op = event.op;
  }
  for (const volatile ReportEvent& event : words.ring) {
    if (!is_new(event) || event.op != taken.op) continue;
    const bool cause = causes(event.what), better = cause != causes(taken.what) ? cause : event.index < taken.index;
    if (taken.what != 0 && !better) continue;
    taken.what = event.what;
    taken.index = event.index;
    taken.value = event.value;
    taken.limit = event.limit;
  }
  words.acknowledged = count;
  return taken;
}

}  // namespace vkv::cuda

namespace vkv {

std::unique_ptr<Context> create_cuda_context(const ContextOptions& options) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    fail(VKV_ERROR_NO_DEVICE, "vkv_context_create: no usable CUDA device: %s", cudaGetErrorString(status));
  }
  if (options.device >= count) {
    fail(VKV_ERROR_NO_DEVICE, "vkv_context_create: device is %d, this machine has %d CUDA device(s)", options.device, count);
  }
  return std::make_unique<cuda::CudaContext>(options.device);
}

bool cuda_device_present() noexcept {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

const char* cuda_build_info() noexcept { return VKV_CUDA_BUILD_INFO; }

}  // namespace vkv
