// The prefill kernel over wgmma; in libraries with code for sm_90a, where VKV_HAS_SM90A is defined.
#pragma once

#include "cuda/context.hpp"

namespace vkv::cuda {

struct PrefillParams;

void launch_prefill_sm90(const CudaContext& ctx, const PrefillParams& params, int64_t ctas, vkv_stream stream);

}  // namespace vkv::cuda
