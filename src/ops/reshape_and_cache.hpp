// The checked problem of vkv_reshape_and_cache (x-packed cache).
#pragma once

#include "core/tensor.hpp"

namespace vkv {

struct ReshapeAndCache {
  Tensor key, value, key_cache, value_cache, slot_mapping, k_scale, v_scale;
  int64_t num_tokens, num_heads, head_dim, num_blocks, block_size;
  int64_t x;  // elements of the K cache's innermost dimension

  bool empty() const { return num_tokens == 0 || num_heads == 0 || head_dim == 0; }
};

}  // namespace vkv
