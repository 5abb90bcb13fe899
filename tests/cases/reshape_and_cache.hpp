// Cases of reshape_and_cache: used by the tests, the benchmark and the support matrix.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "cases/new_tokens.hpp"

namespace cases {

enum class PackedLayout {
  compact,
  apart,       // gaps after heads and blocks, others in K than in V
  heads_first  // all blocks of a head together
};

struct ReshapeAndCache {
  std::string name;
  vkv_dtype dtype, cache_dtype;
  int64_t tokens, heads, dim;
  PackedLayout layout = PackedLayout::compact;
  Scales scales = Scales::one;
  int64_t block_size = 16;
  bool in_order = false;       // slots follow each other
  int64_t padding = 0;         // rows of key and value past num_tokens
  bool strided_input = false;  // key and value are slices of wider tensors, each with its own strides
  int64_t offset = 0;          // elements by which every base is shifted
  bool whole_blocks = false;   // slots follow each other from a block's first one on, none left out
};

inline std::vector<ReshapeAndCache> reshape_and_cache() {
  constexpr vkv_dtype kF16 = VKV_DTYPE_F16, kBf16 = VKV_DTYPE_BF16, kF32 = VKV_DTYPE_F32;
  constexpr vkv_dtype kE4m3 = VKV_DTYPE_FP8_E4M3, kE5m2 = VKV_DTYPE_FP8_E5M2;
  constexpr PackedLayout kCompact = PackedLayout::compact;
  std::vector<ReshapeAndCache> all;
  for (int64_t heads : {1, 8, 33, 64, 128}) {
    all.push_back({"heads", kBf16, kBf16, 3, heads, 128, kCompact, Scales::one, 4});
    all.push_back({"heads", kBf16, kE4m3, 3, heads, 128, kCompact, Scales::per_head, 4});
  }
  for (vkv_dtype dtype : {kF16, kBf16, kF32}) {
    for (vkv_dtype cache : {dtype, kE4m3, kE5m2}) {
      for (Scales scales : {Scales::absent, Scales::one, Scales::per_head}) {
        all.push_back({"dtypes", dtype, cache, 7, 3, 48, kCompact, scales});
        all.push_back({"dtypes, in order", dtype, cache, 75, 2, 48, kCompact, scales, 16, true});
      }
    }
  }
  for (PackedLayout layout : {PackedLayout::apart, PackedLayout::heads_first}) {
    for (vkv_dtype cache : {kBf16, kE4m3}) {
      all.push_back({"strides", kBf16, cache, 40, 5, 64, layout, Scales::per_head, 8, true, 3, true});
      all.push_back({"strides, misaligned", kBf16, cache, 9, 3, 32, layout, Scales::one, 5, false, 1, true, 1});
    }
  }
  for (int64_t dim : {16, 80, 112, 576}) {
    all.push_back({"dim", kBf16, kBf16, 35, 2, dim, PackedLayout::apart, Scales::one, 32, true});
    all.push_back({"dim", kF16, kE5m2, 35, 2, dim, PackedLayout::apart, Scales::one, 32, true});
  }
  all.push_back({"dim of one group", kF32, kF32, 5, 2, 4, PackedLayout::apart});
  all.push_back({"dim of one group", kBf16, kBf16, 5, 2, 8, PackedLayout::apart});
  for (int64_t block_size : {1, 3, 1000}) {
    all.push_back({"block size", kBf16, kBf16, 90, 2, 64, kCompact, Scales::one, block_size, true});
    all.push_back({"block size", kBf16, kE4m3, 90, 2, 64, kCompact, Scales::per_head, block_size, true});
  }
  all.push_back({"many tokens", kBf16, kBf16, 400, 8, 64, kCompact, Scales::one, 16, true});
  all.push_back({"many tokens", kBf16, kE4m3, 400, 8, 64, kCompact, Scales::one, 16, true});
  // More tokens than a backend may send to the cache one by one.
  constexpr int64_t kMany = 300;
  for (vkv_dtype dtype : {kF16, kBf16, kF32}) {
    for (vkv_dtype cache : {dtype, kE4m3, kE5m2}) {
      all.push_back({"many, anywhere", dtype, cache, kMany, 3, 48, kCompact, Scales::per_head});
      all.push_back({"many, in order", dtype, cache, kMany, 2, 48, kCompact, Scales::absent, 16, true});
      for (int64_t block_size : {8, 16, 40, 64}) {
        all.push_back({"many, whole blocks", dtype, cache, kMany, 5, 80, kCompact, Scales::per_head, block_size, false, 2, true, 0,
                       true});
      }
    }
  }
  for (PackedLayout layout : {PackedLayout::apart, PackedLayout::heads_first}) {
    for (vkv_dtype cache : {kBf16, kE4m3}) {
      for (int64_t offset : {0, 1}) {
        all.push_back({"many, strides", kBf16, cache, kMany, 5, 64, layout, Scales::per_head, 16, false, 3, true, offset, true});
      }
    }
  }
  for (int64_t block_size : {1, 3, 1000}) {
    all.push_back({"many, block size", kBf16, kBf16, kMany, 2, 64, kCompact, Scales::one, block_size, true});
    all.push_back({"many, block size", kBf16, kE4m3, kMany, 2, 64, kCompact, Scales::per_head, block_size, true});
  }
  all.push_back({"no tokens", kBf16, kBf16, 0, 8, 64, kCompact, Scales::one, 16, false, 3});
  all.push_back({"no heads", kBf16, kBf16, 3, 0, 64});
  all.push_back({"no dim", kBf16, kE4m3, 3, 4, 0});
  return all;
}

// The tensors of one case, filled, and the params that name them.
struct ReshapeAndCacheProblem : NewTokens {
  ReshapeAndCache c;
  support::Array key_cache, value_cache;

  ReshapeAndCacheProblem(const support::Device& device, const ReshapeAndCache& given, support::Random& random)
      : NewTokens(device, given, blocks_for(given) * given.block_size, random), c(given),
        key_cache(device, c.cache_dtype, {blocks_for(c), c.heads, c.dim / x(), c.block_size, x()}, strides(3, true),
                  c.offset),
        value_cache(device, c.cache_dtype, {blocks_for(c), c.heads, c.dim, c.block_size}, strides(7, false), c.offset) {
    key_cache.fill_bits(random);
    value_cache.fill_bits(random);
    if (c.in_order) slots.fill_integers(ordered_slots(c.tokens, c.block_size, random));
    if (c.whole_blocks) slots.fill_integers(whole_blocks(c));
  }

  // The cache's blocks from the last one down.
  static std::vector<int64_t> whole_blocks(const ReshapeAndCache& c) {
    std::vector<int64_t> all;
    for (int64_t n = 0; n < c.tokens; ++n) {
      all.push_back((blocks_for(c) - 1 - n / c.block_size) * c.block_size + n % c.block_size);
    }
    return all;
  }

  static int64_t blocks_for(const ReshapeAndCache& c) { return c.tokens / c.block_size + 2; }
  int64_t x() const { return 16 / support::element_size(c.cache_dtype); }

  vkv_reshape_and_cache_params params() const {
    vkv_reshape_and_cache_params p = VKV_INIT(vkv_reshape_and_cache_params);
    name_in(p);
    p.key_cache = key_cache.view();
    p.value_cache = value_cache.view();
    return p;
  }

 private:
  support::Shape strides(int64_t gap, bool key) const {
    const int64_t plane = std::max<int64_t>(c.dim, 1) * c.block_size, heads = std::max<int64_t>(c.heads, 1);
    support::Shape outer;
    switch (c.layout) {
      case PackedLayout::compact: return {};
      case PackedLayout::apart: outer = {heads * (plane + gap) + 1, plane + gap}; break;
      case PackedLayout::heads_first: outer = {plane, blocks_for(c) * plane}; break;
    }
    if (key) return {outer[0], outer[1], c.block_size * x(), x(), 1};
    return {outer[0], outer[1], c.block_size, 1};
  }
};

}  // namespace cases
