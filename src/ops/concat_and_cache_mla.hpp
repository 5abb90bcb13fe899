// The checked problem of vkv_concat_and_cache_mla.
#pragma once

#include "core/tensor.hpp"

namespace vkv {

// The 656-byte entry.
struct DsMlaEntry {
  static constexpr int64_t kRank = 512, kRope = 64, kTile = 128, kTiles = 4;
  static constexpr int64_t kScaleOffset = 512, kRopeOffset = 528, kBytes = 656;
};

struct ConcatAndCacheMla {
  Tensor kv_c, k_pe, kv_cache, slot_mapping, scale;
  int64_t num_tokens, kv_lora_rank, rope_dim, num_blocks, block_size;
  bool scale_pow2;  // fp8_ds_mla

  bool empty() const { return num_tokens == 0 || kv_lora_rank + rope_dim == 0; }
};

}  // namespace vkv
