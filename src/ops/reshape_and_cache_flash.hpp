// The checked problem of vkv_reshape_and_cache_flash (strided cache, or NVFP4 blocks).
#pragma once

#include "core/tensor.hpp"

namespace vkv {

struct ReshapeAndCacheFlash {
  Tensor key, value, key_cache, value_cache, slot_mapping, k_scale, v_scale;
  int64_t num_tokens, num_heads, head_dim, num_blocks, block_size;
  bool nvfp4_swizzled_v;  // meaningful if key_cache.dtype is nvfp4

  bool empty() const { return num_tokens == 0 || num_heads == 0 || head_dim == 0; }
};

}  // namespace vkv
