// The NVFP4 writer of reshape_and_cache_flash.
#pragma once

#include "cuda/context.hpp"

namespace vkv::cuda {

void write_nvfp4(const CudaContext& ctx, const ReshapeAndCacheFlash& q, vkv_stream stream);

}  // namespace vkv::cuda
