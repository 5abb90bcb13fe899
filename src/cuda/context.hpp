// The CUDA backend's context: one device.
#pragma once

#include "core/context.hpp"

namespace vkv::cuda {

struct CudaContext final : Context {
  explicit CudaContext(int device);
  void describe(vkv_context_info& info) const override;
  vkv_device_report take_report() const override { return {}; }  // no kernel writes one yet

  int device = 0, num_sms = 0, cc_major = 0, cc_minor = 0;
  char name[64] = {};
};

}  // namespace vkv::cuda
