// A block of the indexer's cache: all its tokens' e4m3 bytes, then all their f32 scales.
#pragma once

#include "core/tensor.hpp"

namespace vkv {

struct IndexerBlock {
  int64_t block_size, head_dim, scales;  // scales of one token

  // Bytes from the block's start.
  int64_t k(int64_t token) const { return token * head_dim; }
  int64_t scale(int64_t token) const { return block_size * head_dim + token * scales * 4; }
};

// A cache of such blocks, checked.
inline Arg indexer_cache(const Check& check, const vkv_tensor& given, int64_t head_dim, int64_t scales) {
  Arg cache = check.tensor("kv_cache", given);
  cache.rank(3)
      .dtype({VKV_DTYPE_U8})
      .dim(2, head_dim + 4 * scales, "head_dim + 4 * head_dim / quant_block_size")
      .packed_from(1)
      .aligned(4, 1);
  const int64_t block_size = cache.get().shape[1];
  if (block_size % 4 * (head_dim % 4) % 4 != 0) {
    check.invalid(
        "kv_cache.shape[1] is %lld, expected a multiple of 4 after multiplication by head_dim %lld (where the "
        "scales begin)",
        static_cast<long long>(block_size), static_cast<long long>(head_dim));
  }
  return cache;
}

}  // namespace vkv
