// Cases of cp_gather_indexer_k_quant_cache: used by the tests, the benchmark and the support matrix.
#pragma once

#include <string>

#include "cases/ragged.hpp"

namespace cases {

struct CpGatherIndexerKQuantCache {
  std::string name;
  Ragged ragged;
  int64_t head_dim = 128, scales = 1;
  int64_t gap = 0;        // elements between rows of dst_k and of dst_scale
  int64_t block_gap = 0;  // bytes between blocks
  int64_t offset = 0;     // elements by which the outputs' bases are shifted; 4 times as many bytes for the cache

  int64_t entry() const { return head_dim + 4 * scales; }
};

inline std::vector<CpGatherIndexerKQuantCache> cp_gather_indexer_k_quant_cache() {
  return {
      {"plain", {{5, 17, 1, 40}, 16}},
      {"empty sequences", {{0, 3, 0, 0, 9, 0}, 4}},
      {"unowned rows before and after", {{5, 2}, 4, {}, 3, 6}},
      {"no rows owned", {{0, 0}, 4, {}, 2, 2}},
      {"strided", {{5, 17, 1, 40}, 16, {}, 1, 1}, 128, 1, 3, 20, 1},
      {"quant block 32", {{7, 12}, 8}, 128, 4, 5, 4, 1},
      {"quant block 1, odd head_dim", {{7, 12}, 4}, 35, 35, 1, 4, 1},
      {"132-byte entries one by one", {{7, 12}, 1}},
      {"many rows", {{500, 300, 1, 700}, 64, {}, 0, 0, 30}},
      {"no sequences", {{}, 4, {}, 3, 0}},
      {"no rows", {{0}, 4}},
      {"no head_dim", {{4}, 4}, 0, 0},
  };
}

// The tensors of one case, filled, and the params that name them.
struct CpGatherIndexerKQuantCacheProblem {
  RaggedTensors ragged;
  support::Array kv_cache, dst_k, dst_scale;

  CpGatherIndexerKQuantCacheProblem(const support::Device& device, const CpGatherIndexerKQuantCache& c,
                                    support::Random& random)
      : ragged(device, c.ragged, true, random),
        kv_cache(device, VKV_DTYPE_U8, {c.ragged.num_blocks, c.ragged.block_size, c.entry()},
                 {c.ragged.block_size * c.entry() + c.block_gap, c.entry(), 1}, 4 * c.offset),
        dst_k(device, VKV_DTYPE_FP8_E4M3, {c.ragged.rows(), c.head_dim}, {c.head_dim + c.gap, 1}, c.offset),
        dst_scale(device, VKV_DTYPE_F32, {c.ragged.rows(), c.scales}, {c.scales + c.gap, 1}, c.offset) {
    kv_cache.fill_bits(random);
    dst_k.fill_bits(random);
    dst_scale.fill_bits(random);
  }

  vkv_cp_gather_indexer_k_quant_cache_params params() const {
    vkv_cp_gather_indexer_k_quant_cache_params p = VKV_INIT(vkv_cp_gather_indexer_k_quant_cache_params);
    p.kv_cache = kv_cache.view();
    p.dst_k = dst_k.view();
    p.dst_scale = dst_scale.view();
    p.block_table = ragged.block_table.view();
    p.cu_seq_lens = ragged.offsets.view();
    return p;
  }
};

}  // namespace cases
