// The CUDA backend's context: one device, and the words in which its kernels report.
#pragma once

#include <mutex>

#include "core/context.hpp"
#include "cuda/primitives/report.cuh"

namespace vkv::cuda {

struct CudaContext final : Context {
  explicit CudaContext(int device);
  ~CudaContext() override;
  void describe(vkv_context_info& info) const override;
  vkv_device_report take_report() const override;

  int device = 0, num_sms = 0, cc_major = 0, cc_minor = 0;
  int shared_per_sm = 0, shared_per_block = 0;  // bytes of shared memory, at most
  double memory_bandwidth = 0;                  // bytes a second, by clock and bus width; 0: not known
  char name[64] = {};
  ReportWords* report = nullptr;  // pinned, mapped at the same address on the device

 private:
  mutable std::mutex report_mutex_;
};

inline const CudaContext& self(const Context& ctx) { return static_cast<const CudaContext&>(ctx); }

}  // namespace vkv::cuda
