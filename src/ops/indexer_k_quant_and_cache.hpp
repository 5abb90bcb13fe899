// The checked problem of vkv_indexer_k_quant_and_cache.
#pragma once

#include "core/tensor.hpp"

namespace vkv {

struct IndexerKQuantAndCache {
  Tensor k, kv_cache, slot_mapping;
  int64_t num_tokens, head_dim, quant_block_size, num_blocks, block_size;
  bool scale_pow2;

  bool empty() const { return num_tokens == 0 || head_dim == 0; }
};

}  // namespace vkv
