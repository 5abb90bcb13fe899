// Cases of cp_gather_cache: used by the tests, the benchmark and the support matrix.
#pragma once

#include <string>
#include <utility>

#include "cases/ragged.hpp"

namespace cases {

struct CpGatherCache {
  std::string name;
  vkv_dtype dtype;
  support::Shape src_entry, dst_entry;  // inner dimensions: as many elements
  Ragged ragged;
  int64_t gap = 0;     // elements between entries, blocks and rows
  int64_t offset = 0;  // elements by which the bases are shifted

  int64_t entry() const {
    int64_t n = 1;
    for (int64_t d : src_entry) n *= d;
    return n;
  }
};

inline std::vector<CpGatherCache> cp_gather_cache() {
  const Ragged ragged = {{5, 17, 1, 40}, 16};
  std::vector<CpGatherCache> all;
  for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_BF16, VKV_DTYPE_F32, VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2,
                          VKV_DTYPE_U8, VKV_DTYPE_I32, VKV_DTYPE_I64}) {
    all.push_back({"every dtype", dtype, {72}, {72}, ragged});
    all.push_back({"odd and strided", dtype, {37}, {37}, {{5, 7, 9}, 5, {1, 2, 8}, 2, 3}, 3, 1});
  }
  const vkv_dtype bf16 = VKV_DTYPE_BF16;
  all.push_back({"ds_mla", VKV_DTYPE_FP8_DS_MLA, {656}, {656}, ragged});
  all.push_back({"heads", bf16, {4, 24}, {4, 24}, ragged, 5});
  all.push_back({"more dimensions of the cache", bf16, {2, 3, 1, 8}, {48}, ragged});
  all.push_back({"more dimensions of dst", bf16, {48}, {2, 3, 1, 4, 2}, ragged});
  all.push_back({"one element", bf16, {1}, {1}, ragged});
  all.push_back({"empty sequences", bf16, {64}, {64}, {{0, 3, 0, 0, 9, 0}, 4}});
  all.push_back({"unowned rows before and after", bf16, {64}, {64}, {{5, 2}, 4, {}, 3, 6}});
  all.push_back({"no rows owned", bf16, {64}, {64}, {{0, 0}, 4, {}, 2, 2}});
  all.push_back({"sequences that start later", bf16, {64}, {64}, {{5, 7, 9}, 4, {3, 0, 8}}});
  all.push_back({"blocks of 1", bf16, {64}, {64}, {{5, 7}, 1}});
  all.push_back({"many rows", bf16, {200}, {200}, {{500, 300, 1, 700}, 64, {}, 0, 0, 30}});
  all.push_back({"no sequences", bf16, {64}, {64}, {{}, 4, {}, 3, 0}});
  all.push_back({"no rows", bf16, {64}, {64}, {{0}, 4}});
  all.push_back({"no elements", bf16, {3, 0}, {0}, {{4}, 4}});
  return all;
}

// The tensors of one case, filled, and the params that name them.
struct CpGatherCacheProblem {
  RaggedTensors ragged;
  support::Array src_cache, dst;

  CpGatherCacheProblem(const support::Device& device, const CpGatherCache& c, support::Random& random)
      : ragged(device, c.ragged, true, random) {
    const int64_t pitch = c.entry() + c.gap;
    src_cache = strided(device, c.dtype, {c.ragged.num_blocks, c.ragged.block_size},
                        {c.ragged.block_size * pitch + c.gap, pitch}, c.src_entry, c.offset);
    dst = strided(device, c.dtype, {c.ragged.rows()}, {pitch}, c.dst_entry, c.offset);
    src_cache.fill_bits(random);
    dst.fill_bits(random);
  }

  vkv_cp_gather_cache_params params() const {
    vkv_cp_gather_cache_params p = VKV_INIT(vkv_cp_gather_cache_params);
    p.src_cache = src_cache.view();
    p.dst = dst.view();
    p.block_table = ragged.block_table.view();
    p.cu_seq_lens = ragged.offsets.view();
    p.seq_starts = ragged.seq_starts.view();
    return p;
  }

 private:
  // Outer dimensions of any strides, inner ones packed.
  static support::Array strided(const support::Device& device, vkv_dtype dtype, support::Shape shape,
                                support::Shape stride, const support::Shape& inner, int64_t offset) {
    int64_t left = 1;
    for (int64_t d : inner) left *= d;
    for (int64_t d : inner) {
      left = d > 0 ? left / d : 0;
      shape.push_back(d);
      stride.push_back(left);
    }
    return support::Array(device, dtype, std::move(shape), std::move(stride), offset);
  }
};

}  // namespace cases
