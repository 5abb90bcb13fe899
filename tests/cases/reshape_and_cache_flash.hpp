// Cases of reshape_and_cache_flash: used by the tests, the benchmark and the support matrix.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "cases/flash_caches.hpp"
#include "cases/new_tokens.hpp"

namespace cases {

struct ReshapeAndCacheFlash {
  std::string name;
  vkv_dtype dtype, cache_dtype;
  int64_t tokens, heads, dim;
  FlashLayout layout = FlashLayout::nhd;
  Scales scales = Scales::one;
  int64_t block_size = 4;
  int64_t padding = 0;         // rows of key and value past num_tokens
  bool strided_input = false;  // key and value are slices of wider tensors, each with its own strides
  int64_t offset = 0;          // elements by which every base is shifted
  int32_t nvfp4_v_scales = 0;
};

inline std::vector<ReshapeAndCacheFlash> reshape_and_cache_flash() {
  constexpr vkv_dtype kF16 = VKV_DTYPE_F16, kBf16 = VKV_DTYPE_BF16, kF32 = VKV_DTYPE_F32;
  constexpr vkv_dtype kE4m3 = VKV_DTYPE_FP8_E4M3, kE5m2 = VKV_DTYPE_FP8_E5M2;
  std::vector<ReshapeAndCacheFlash> all;
  for (int64_t heads : {1, 8, 33, 64, 128}) {
    all.push_back({"heads", kBf16, kBf16, 3, heads, 128});
    all.push_back({"heads", kBf16, kE4m3, 3, heads, 128, FlashLayout::hnd, Scales::per_head});
  }
  for (vkv_dtype dtype : {kF16, kBf16, kF32}) {
    for (vkv_dtype cache : {dtype, kE4m3, kE5m2}) {
      for (Scales scales : {Scales::absent, Scales::one, Scales::per_head}) {
        all.push_back({"dtypes", dtype, cache, 7, 5, 64, FlashLayout::nhd, scales});
      }
    }
  }
  for (FlashLayout layout :
       {FlashLayout::nhd, FlashLayout::hnd, FlashLayout::one_tensor, FlashLayout::packed, FlashLayout::apart}) {
    for (vkv_dtype cache : {kBf16, kE4m3}) {
      all.push_back({"layout", kBf16, cache, 9, 8, 64, layout});
      all.push_back({"layout, strided input", kBf16, cache, 9, 8, 64, layout, Scales::per_head, 16, 3, true});
      all.push_back({"layout, misaligned", kBf16, cache, 9, 3, 46, layout, Scales::per_head, 5, 1, true, 1});
    }
  }
  for (int64_t dim : {1, 5, 46, 80, 576}) {
    all.push_back({"dim", kF16, kF16, 5, 3, dim, FlashLayout::apart});
    all.push_back({"dim", kBf16, kE4m3, 5, 3, dim, FlashLayout::hnd, Scales::per_head});
    all.push_back({"dim", kF32, kE5m2, 5, 3, dim, FlashLayout::packed, Scales::per_head});
  }
  all.push_back({"tiny", kBf16, kBf16, 2, 1, 16, FlashLayout::hnd});
  all.push_back({"tiny", kBf16, kE4m3, 2, 1, 16, FlashLayout::packed, Scales::per_head});
  all.push_back({"blocks of one token", kBf16, kBf16, 6, 2, 32, FlashLayout::nhd, Scales::one, 1});
  all.push_back({"blocks of 1000 tokens", kBf16, kE4m3, 6, 2, 32, FlashLayout::hnd, Scales::one, 1000});
  for (vkv_dtype dtype : {kF16, kBf16, kF32}) {
    for (vkv_dtype cache : {kE4m3, kE5m2}) {
      all.push_back({"many tokens", dtype, cache, 130, 3, 48, FlashLayout::nhd, Scales::per_head, 16});
    }
  }
  all.push_back({"many tokens", kBf16, kBf16, 400, 8, 128, FlashLayout::nhd, Scales::one, 16});
  all.push_back({"many tokens", kBf16, kE4m3, 400, 8, 128, FlashLayout::nhd, Scales::one, 16});
  // More than the caches near a core hold.
  all.push_back({"4 MiB, misaligned", kBf16, kBf16, 1040, 8, 128, FlashLayout::nhd, Scales::absent, 16, 0, false, 3});
  all.push_back({"one token", kBf16, kBf16, 1, 8, 128});
  constexpr vkv_dtype kNvfp4 = VKV_DTYPE_NVFP4;
  for (FlashLayout layout : {FlashLayout::nhd, FlashLayout::hnd, FlashLayout::one_tensor, FlashLayout::apart}) {
    for (int64_t heads : {1, 8, 33, 64, 128}) all.push_back({"nvfp4 heads", kBf16, kNvfp4, 3, heads, 64, layout});
    for (int64_t dim : {16, 48, 80, 128, 576, 1040}) all.push_back({"nvfp4 dim", kF16, kNvfp4, 5, 3, dim, layout});
    for (int64_t dim : {64, 128, 192, 576, 1088}) {
      all.push_back(
          {"nvfp4 swizzled", kBf16, kNvfp4, 9, 3, dim, layout, Scales::one, 8, 2, true, 1, VKV_NVFP4_SCALES_SWIZZLED});
    }
    all.push_back({"nvfp4 strided input", kF16, kNvfp4, 9, 4, 64, layout, Scales::absent, 5, 2, true, 1,
                   VKV_NVFP4_SCALES_LINEAR});
    all.push_back({"nvfp4 blocks of one token", kBf16, kNvfp4, 9, 4, 64, layout, Scales::one, 1});
  }
  all.push_back({"nvfp4 many tokens", kBf16, kNvfp4, 300, 8, 128, FlashLayout::nhd, Scales::one, 16});
  all.push_back({"no tokens", kBf16, kBf16, 0, 8, 128, FlashLayout::nhd, Scales::one, 4, 3});
  all.push_back({"no heads", kBf16, kBf16, 3, 0, 128});
  all.push_back({"no dim", kBf16, kE4m3, 3, 4, 0, FlashLayout::hnd});
  return all;
}

// The tensors of one case, filled, and the params that name them.
struct ReshapeAndCacheFlashProblem : NewTokens {
  ReshapeAndCacheFlash c;
  int64_t num_blocks;
  std::vector<support::Array> caches;  // see flash_caches()

  ReshapeAndCacheFlashProblem(const support::Device& device, const ReshapeAndCacheFlash& given, support::Random& random)
      : NewTokens(device, given, blocks_for(given) * given.block_size, random), c(given),
        num_blocks(blocks_for(given)),
        caches(flash_caches(device, c.cache_dtype, c.layout, num_blocks, c.block_size, c.heads, row(), c.offset)) {
    for (support::Array& cache : caches) cache.fill_bits(random);
  }

  static int64_t blocks_for(const ReshapeAndCacheFlash& c) { return c.tokens / c.block_size + 3; }

  int64_t row() const { return c.cache_dtype == VKV_DTYPE_NVFP4 ? c.dim / 2 + c.dim / 16 : c.dim; }
  support::Array& key_cache() { return caches.front(); }
  support::Array& value_cache() { return caches.back(); }
  bool swizzled() const { return c.nvfp4_v_scales == VKV_NVFP4_SCALES_SWIZZLED; }
  int64_t value_plane() const { return static_cast<int64_t>(2 - caches.size()); }

  vkv_reshape_and_cache_flash_params params() const {
    vkv_reshape_and_cache_flash_params p = VKV_INIT(vkv_reshape_and_cache_flash_params);
    name_in(p);
    p.key_cache = plane(caches.front(), 0);
    p.value_cache = plane(caches.back(), value_plane());
    p.nvfp4_v_scales = c.nvfp4_v_scales;
    return p;
  }
};

}  // namespace cases
