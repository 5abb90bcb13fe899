// The checked problem of vkv_concat_and_cache_mla_rope_fused.
#pragma once

#include "core/tensor.hpp"

namespace vkv {

struct ConcatAndCacheMlaRopeFused {
  Tensor positions, q_pe, k_pe, kv_c, cos_sin_cache, slot_mapping, kv_cache, kv_cache_scale;
  int64_t num_tokens, num_heads, kv_lora_rank, rope_dim, max_position, num_blocks, block_size;
  bool neox;

  bool empty() const { return num_tokens == 0 || kv_lora_rank + rope_dim == 0; }
};

}  // namespace vkv
