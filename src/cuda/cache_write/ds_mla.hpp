// The fp8_ds_mla writer of concat_and_cache_mla.
#pragma once

#include "cuda/context.hpp"

namespace vkv::cuda {

void write_ds_mla(const CudaContext& ctx, const ConcatAndCacheMla& q, vkv_stream stream);

}  // namespace vkv::cuda
