// Cases of gather_and_maybe_dequant_cache: used by the tests, the benchmark and the support matrix.
#pragma once

#include <string>

#include "cases/ragged.hpp"

namespace cases {

struct GatherAndMaybeDequantCache {
  std::string name;
  vkv_dtype cache, dtype;
  int64_t entry;
  Ragged ragged;
  double scale = 0;        // 0: absent
  int64_t gap = 0;         // elements between entries, blocks and rows
  int64_t offset = 0;      // elements by which the bases are shifted
  int64_t num_tokens = 0;
};

inline std::vector<GatherAndMaybeDequantCache> gather_and_maybe_dequant_cache() {
  const Ragged ragged = {{5, 17, 1, 40}, 16};
  std::vector<GatherAndMaybeDequantCache> all;
  for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_BF16, VKV_DTYPE_F32}) {
    all.push_back({"same dtype", dtype, dtype, 576, ragged});
    all.push_back({"same dtype, scale not read", dtype, dtype, 320, ragged, 0.1});
    for (vkv_dtype cache : {VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2}) {
      all.push_back({"fp8", cache, dtype, 576, ragged, 0.1});
      all.push_back({"fp8 without scale", cache, dtype, 320, ragged});
      all.push_back({"fp8, odd and strided", cache, dtype, 37, {{5, 7, 9}, 5, {1, 2, 8}, 2, 3}, -2.5, 3, 1});
    }
  }
  const vkv_dtype bf16 = VKV_DTYPE_BF16;
  all.push_back({"overflow to infinity", VKV_DTYPE_FP8_E5M2, VKV_DTYPE_F16, 64, ragged, 1000.0});
  all.push_back({"NaN scale", VKV_DTYPE_FP8_E4M3, bf16, 64, ragged, std::numeric_limits<double>::quiet_NaN()});
  all.push_back({"odd and strided", bf16, bf16, 37, {{5, 7, 9}, 5, {1, 2, 8}, 2, 3}, 0, 3, 1});
  all.push_back({"empty sequences", bf16, bf16, 64, {{0, 3, 0, 0, 9, 0}, 4}});
  all.push_back({"unowned rows before and after", bf16, bf16, 64, {{5, 2}, 4, {}, 3, 6}});
  all.push_back({"no rows owned", bf16, bf16, 64, {{0, 0}, 4, {}, 2, 2}});
  all.push_back({"sequences that start later", bf16, bf16, 64, {{5, 7, 9}, 4, {3, 0, 8}}});
  all.push_back({"blocks of 1", bf16, bf16, 64, {{5, 7}, 1}});
  all.push_back({"first rows alone", bf16, bf16, 64, {{5, 7}, 4}, 0, 0, 0, 9});
  all.push_back({"one element", bf16, bf16, 1, {{5, 7}, 4}});
  all.push_back({"many rows", bf16, bf16, 200, {{500, 300, 1, 700}, 64, {}, 0, 0, 30}});
  all.push_back({"many rows of fp8", VKV_DTYPE_FP8_E4M3, bf16, 200, {{500, 300, 1, 700}, 64, {}, 0, 0, 30}, 0.5});
  all.push_back({"no sequences", bf16, bf16, 64, {{}, 4, {}, 3, 0}});
  all.push_back({"no rows", bf16, bf16, 64, {{0}, 4}});
  all.push_back({"no elements", bf16, bf16, 0, {{4}, 4}});
  return all;
}

// The tensors of one case, filled, and the params that name them.
struct GatherAndMaybeDequantCacheProblem {
  GatherAndMaybeDequantCache c;
  RaggedTensors ragged;
  support::Array src_cache, dst, scale;

  GatherAndMaybeDequantCacheProblem(const support::Device& device, const GatherAndMaybeDequantCache& with,
                                    support::Random& random)
      : c(with), ragged(device, c.ragged, true, random),
        src_cache(device, c.cache, {c.ragged.num_blocks, c.ragged.block_size, c.entry},
                  {c.ragged.block_size * (c.entry + c.gap) + c.gap, c.entry + c.gap, 1}, c.offset),
        dst(device, c.dtype, {c.ragged.rows(), c.entry}, {c.entry + c.gap, 1}, c.offset) {
    src_cache.fill_bits(random);
    dst.fill_bits(random);
    if (c.scale != 0) {
      scale = support::Array(device, VKV_DTYPE_F32, {1});
      scale.fill({c.scale});
    }
  }

  int64_t rows() const { return c.num_tokens > 0 ? c.num_tokens : dst.dim(0); }

  vkv_gather_and_maybe_dequant_cache_params params() const {
    vkv_gather_and_maybe_dequant_cache_params p = VKV_INIT(vkv_gather_and_maybe_dequant_cache_params);
    p.src_cache = src_cache.view();
    p.dst = dst.view();
    p.block_table = ragged.block_table.view();
    p.cu_seq_lens = ragged.offsets.view();
    p.seq_starts = ragged.seq_starts.view();
    p.scale = scale.view();
    p.num_tokens = c.num_tokens;
    return p;
  }
};

}  // namespace cases
