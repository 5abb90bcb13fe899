// Cases of indexer_k_quant_and_cache: used by the tests, the benchmark and the support matrix.
#pragma once

#include <string>
#include <vector>

#include "support/array.hpp"

namespace cases {

struct IndexerKQuantAndCache {
  std::string name;
  vkv_dtype dtype;
  int64_t tokens, head_dim = 128;
  int32_t quant_block_size = 0, scale_rule = 0;
  int64_t num_blocks = 4, block_size = 16;
  int64_t padding = 0;    // rows of k past the last token
  int64_t gap = 0;        // elements between rows of k
  int64_t block_gap = 0;  // bytes between blocks
  int64_t offset = 0;     // elements by which k's base is shifted; 4 times as many bytes for the cache

  int64_t entry() const { return head_dim + 4 * (head_dim / (quant_block_size == 0 ? 128 : quant_block_size)); }
};

inline std::vector<IndexerKQuantAndCache> indexer_k_quant_and_cache() {
  std::vector<IndexerKQuantAndCache> all;
  for (int rule : {0, int{VKV_SCALE_RULE_POW2}, int{VKV_SCALE_RULE_F32}}) {
    for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_BF16, VKV_DTYPE_F32}) {
      all.push_back({"plain", dtype, 9, 128, 0, rule});
      all.push_back({"strided", dtype, 9, 256, 128, rule, 4, 16, 2, 3, 20, 1});
      for (int32_t width : {1, 2, 12, 30, 60})
        all.push_back({"quant blocks", dtype, 5, 60, width, rule, 3, 4, 1, 5, 12, 1});
    }
  }
  all.push_back({"quant block 64", VKV_DTYPE_BF16, 5, 128, 64});
  all.push_back({"quant block 384", VKV_DTYPE_BF16, 5, 384, 384});
  all.push_back({"odd head_dim, 4 tokens a block", VKV_DTYPE_F16, 7, 35, 5, 0, 3, 4});
  all.push_back({"head_dim 6, 2 tokens a block", VKV_DTYPE_F16, 3, 6, 3, 0, 3, 2});
  all.push_back({"blocks of 1", VKV_DTYPE_BF16, 9, 128, 0, 0, 12, 1});
  all.push_back({"one block of 100", VKV_DTYPE_BF16, 9, 128, 0, 0, 1, 100});
  all.push_back({"many tokens", VKV_DTYPE_BF16, 700, 128, 0, 0, 12, 64});
  all.push_back({"no tokens", VKV_DTYPE_BF16, 0});
  all.push_back({"no head_dim", VKV_DTYPE_BF16, 4, 0});
  return all;
}

// The tensors of one case, filled, and the params that name them.
struct IndexerKQuantAndCacheProblem {
  support::Array k, kv_cache, slot_mapping;
  int32_t quant_block_size, scale_rule;

  IndexerKQuantAndCacheProblem(const support::Device& device, const IndexerKQuantAndCache& c, support::Random& random)
      : k(device, c.dtype, {c.tokens + c.padding, c.head_dim}, {c.head_dim + c.gap, 1}, c.offset),
        kv_cache(device, VKV_DTYPE_U8, {c.num_blocks, c.block_size, c.entry()},
                 {c.block_size * c.entry() + c.block_gap, c.entry(), 1}, 4 * c.offset),
        slot_mapping(device, VKV_DTYPE_I64, {c.tokens}), quant_block_size(c.quant_block_size),
        scale_rule(c.scale_rule) {
    k.fill_normal(random);
    k.plant_specials(random);
    kv_cache.fill_bits(random);
    slot_mapping.fill_integers(random.slots(c.tokens, c.num_blocks * c.block_size));
  }

  vkv_indexer_k_quant_and_cache_params params() const {
    vkv_indexer_k_quant_and_cache_params p = VKV_INIT(vkv_indexer_k_quant_and_cache_params);
    p.k = k.view();
    p.kv_cache = kv_cache.view();
    p.slot_mapping = slot_mapping.view();
    p.quant_block_size = quant_block_size;
    p.scale_rule = scale_rule;
    return p;
  }
};

}  // namespace cases
