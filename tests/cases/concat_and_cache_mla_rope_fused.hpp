// Cases of concat_and_cache_mla_rope_fused: used by the tests, the benchmark and the support matrix.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "support/array.hpp"

namespace cases {

struct ConcatAndCacheMlaRopeFused {
  std::string name;
  vkv_dtype dtype, cache_dtype;
  int64_t tokens, heads, rank = 512, rope = 64;
  int32_t style = VKV_ROPE_NEOX;
  double scale = 0;  // 0 = absent
  int64_t num_blocks = 4, block_size = 8, max_position = 50;
  int64_t padding = 0;  // rows of every input past the last token
  int64_t gap = 0;      // elements between rows, heads, entries and blocks
  int64_t offset = 0;   // elements by which every base is shifted
  bool any_bits = false;
};

inline std::vector<ConcatAndCacheMlaRopeFused> concat_and_cache_mla_rope_fused() {
  constexpr vkv_dtype kE4M3 = VKV_DTYPE_FP8_E4M3, kE5M2 = VKV_DTYPE_FP8_E5M2, kBF16 = VKV_DTYPE_BF16;
  std::vector<ConcatAndCacheMlaRopeFused> all;
  for (int32_t style : {0, int{VKV_ROPE_NEOX}, int{VKV_ROPE_GPTJ}}) {
    for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_BF16, VKV_DTYPE_F32}) {
      for (vkv_dtype cache : {dtype, kE4M3, kE5M2}) {
        all.push_back({"plain", dtype, cache, 3, 2, 128, 64, style});
        all.push_back({"odd", dtype, cache, 7, 3, 37, 6, style, 0.37, 5, 3, 9, 3, 5, 1});
      }
      all.push_back({"any bits", dtype, kE4M3, 4, 2, 64, 32, style, 0.9, 4, 8, 50, 0, 0, 0, true});
    }
    for (int64_t heads : {1, 8, 33, 64, 128}) all.push_back({"heads", kBF16, kBF16, 2, heads, 16, 16, style});
    all.push_back({"pairs of two", VKV_DTYPE_F16, kE4M3, 5, 3, 8, 2, style});
    all.push_back({"rope 128", kBF16, kE4M3, 2, 2, 64, 128, style});
  }
  all.push_back({"many tokens", kBF16, kBF16, 150, 4, 64, 16, 0, 0, 20, 16, 1000});
  all.push_back({"no heads", kBF16, kE4M3, 4, 0});
  all.push_back({"no latent", kBF16, kBF16, 4, 2, 0, 16});
  all.push_back({"no rope", kBF16, kBF16, 4, 2, 16, 0});
  all.push_back({"nothing", kBF16, kBF16, 4, 2, 0, 0});
  all.push_back({"no tokens", kBF16, kBF16, 0, 2});
  return all;
}

// The tensors of one case, filled, and the params that name them.
struct ConcatAndCacheMlaRopeFusedProblem {
  support::Array positions, q_pe, k_pe, kv_c, cos_sin_cache, slot_mapping, kv_cache, kv_cache_scale;
  int32_t style;

  ConcatAndCacheMlaRopeFusedProblem(const support::Device& device, const ConcatAndCacheMlaRopeFused& c,
                                    support::Random& random)
      : slot_mapping(device, VKV_DTYPE_I64, {c.tokens}), style(c.style) {
    const int64_t rows = c.tokens + c.padding, head = c.rope + c.gap, entry = c.rank + c.rope;
    positions = support::Array(device, VKV_DTYPE_I64, {rows});
    q_pe = support::Array(device, c.dtype, {rows, c.heads, c.rope}, {c.heads * head + c.gap, head, 1}, c.offset);
    k_pe = support::Array(device, c.dtype, {rows, c.rope}, {c.rope + c.gap, 1}, c.offset);
    kv_c = support::Array(device, c.dtype, {rows, c.rank}, {c.rank + c.gap, 1}, c.offset);
    cos_sin_cache = support::Array(device, c.dtype, {c.max_position, c.rope}, {c.rope + c.gap, 1}, c.offset);
    kv_cache = support::Array(device, c.cache_dtype, {c.num_blocks, c.block_size, entry},
                              {c.block_size * (entry + c.gap) + c.gap, entry + c.gap, 1}, c.offset);
    for (support::Array* array : {&q_pe, &k_pe, &kv_c}) {
      if (c.any_bits) array->fill_bits(random);
      else array->fill_normal(random);
    }
    for (int64_t p = 0; p < c.max_position; ++p) {
      for (int64_t i = 0; i < c.rope / 2; ++i) {
        const double angle =
            static_cast<double>(p) / std::pow(10000.0, 2.0 * static_cast<double>(i) / static_cast<double>(c.rope));
        cos_sin_cache.set({p, i}, std::cos(angle));
        cos_sin_cache.set({p, c.rope / 2 + i}, std::sin(angle));
      }
    }
    cos_sin_cache.upload();
    if (c.any_bits) cos_sin_cache.fill_bits(random);
    kv_cache.fill_bits(random);
    slot_mapping.fill_integers(random.slots(c.tokens, c.num_blocks * c.block_size));
    for (int64_t n = 0; n < rows; ++n)
      positions.set_bits(n, static_cast<uint64_t>(random.integer(0, c.max_position - 1)));
    positions.upload();
    if (c.scale != 0) {
      kv_cache_scale = support::Array(device, VKV_DTYPE_F32, {1});
      kv_cache_scale.fill({c.scale});
    }
  }

  vkv_concat_and_cache_mla_rope_fused_params params() const {
    vkv_concat_and_cache_mla_rope_fused_params p = VKV_INIT(vkv_concat_and_cache_mla_rope_fused_params);
    p.positions = positions.view();
    p.q_pe = q_pe.view();
    p.k_pe = k_pe.view();
    p.kv_c = kv_c.view();
    p.cos_sin_cache = cos_sin_cache.view();
    p.slot_mapping = slot_mapping.view();
    p.kv_cache = kv_cache.view();
    p.kv_cache_scale = kv_cache_scale.view();
    p.rope_style = style;
    return p;
  }
};

}  // namespace cases
