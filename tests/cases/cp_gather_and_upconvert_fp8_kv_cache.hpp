// Cases of cp_gather_and_upconvert_fp8_kv_cache: used by the tests, the benchmark and the support matrix.
#pragma once

#include <cmath>
#include <string>

#include "cases/ragged.hpp"

namespace cases {

struct CpGatherAndUpconvertFp8KvCache {
  std::string name;
  vkv_dtype dtype;
  Ragged ragged;
  int64_t gap = 0;     // elements between rows of dst; 4 times as many bytes between entries and blocks
  int64_t offset = 0;  // elements by which dst's base is shifted; 4 times as many bytes for the cache
};

inline std::vector<CpGatherAndUpconvertFp8KvCache> cp_gather_and_upconvert_fp8_kv_cache() {
  std::vector<CpGatherAndUpconvertFp8KvCache> all;
  for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_BF16}) {
    all.push_back({"plain", dtype, {{5, 17, 1, 9}, 16}});
    all.push_back({"empty sequences", dtype, {{0, 3, 0, 0, 9, 0}, 4}});
    all.push_back({"sequences that start later", dtype, {{5, 7, 9}, 4, {3, 0, 8}}});
    all.push_back({"unowned rows before", dtype, {{5, 2}, 4, {}, 3}});
    all.push_back({"strided", dtype, {{5, 7}, 5, {1, 2}, 1}, 3, 1});
    all.push_back({"blocks of 1", dtype, {{5, 7}, 1}});
  }
  all.push_back({"many rows", VKV_DTYPE_BF16, {{40, 50, 1}, 64}});
  all.push_back({"no sequences", VKV_DTYPE_BF16, {{}, 4, {}, 3}});
  all.push_back({"no rows", VKV_DTYPE_BF16, {{0}, 4}});
  return all;
}

// The tensors of one case, filled, and the params that name them.
struct CpGatherAndUpconvertFp8KvCacheProblem {
  RaggedTensors ragged;
  support::Array src_cache, dst;

  CpGatherAndUpconvertFp8KvCacheProblem(const support::Device& device, const CpGatherAndUpconvertFp8KvCache& c,
                                        support::Random& random)
      : ragged(device, c.ragged, false, random),
        src_cache(device, VKV_DTYPE_FP8_DS_MLA, {c.ragged.num_blocks, c.ragged.block_size, 656},
                  {(c.ragged.block_size * (656 + 4 * c.gap)) + 4 * c.gap, 656 + 4 * c.gap, 1}, 4 * c.offset),
        dst(device, c.dtype, {c.ragged.rows(), 576}, {576 + c.gap, 1}, c.offset) {
    src_cache.fill_bits(random);
    // Mostly scales for which results are numbers; the rest keep any bits.
    for (int64_t entry = 0; entry < c.ragged.num_blocks * c.ragged.block_size; ++entry) {
      for (int64_t tile = 0; tile < 4; ++tile) {
        if (random.integer(0, 9) == 0) continue;
        const uint64_t word = support::encode(VKV_DTYPE_F32, std::exp2(random.uniform(-18.0, 8.0)));
        for (int64_t b = 0; b < 4; ++b) src_cache.set_bits(entry * 656 + 512 + tile * 4 + b, word >> (8 * b) & 0xFF);
      }
    }
    src_cache.upload();
    dst.fill_bits(random);
  }

  vkv_cp_gather_and_upconvert_fp8_kv_cache_params params() const {
    vkv_cp_gather_and_upconvert_fp8_kv_cache_params p = VKV_INIT(vkv_cp_gather_and_upconvert_fp8_kv_cache_params);
    p.src_cache = src_cache.view();
    p.dst = dst.view();
    p.block_table = ragged.block_table.view();
    p.workspace_starts = ragged.offsets.view();
    p.seq_starts = ragged.seq_starts.view();
    return p;
  }
};

}  // namespace cases
