// Cases of concat_and_cache_mla: used by the tests, the benchmark and the support matrix.
#pragma once

#include <string>
#include <vector>

#include "support/array.hpp"

namespace cases {

struct ConcatAndCacheMla {
  std::string name;
  vkv_dtype dtype, cache_dtype;
  int64_t tokens, rank = 512, rope = 64, num_blocks = 5, block_size = 16;
  int32_t scale_rule = 0;
  double scale = 0;      // 0 = absent
  int64_t padding = 0;   // rows of kv_c and k_pe past the last token
  int64_t gap = 0;       // elements between rows, entries and blocks (fp8_ds_mla: 4 times as many bytes)
  int64_t offset = 0;    // elements by which every base is shifted (fp8_ds_mla: 4 times as many bytes)
};

inline std::vector<ConcatAndCacheMla> concat_and_cache_mla() {
  constexpr vkv_dtype kE4M3 = VKV_DTYPE_FP8_E4M3, kE5M2 = VKV_DTYPE_FP8_E5M2, kDsMla = VKV_DTYPE_FP8_DS_MLA;
  constexpr vkv_dtype kBF16 = VKV_DTYPE_BF16;
  std::vector<ConcatAndCacheMla> all;
  for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_BF16, VKV_DTYPE_F32}) {
    for (vkv_dtype cache : {dtype, kE4M3, kE5M2}) {
      all.push_back({"plain", dtype, cache, 6, 512, 64});
      all.push_back({"scaled", dtype, cache, 3, 512, 64, 2, 8, 0, 0.37});
      all.push_back({"odd", dtype, cache, 7, 37, 5, 4, 3, 0, 1.9, 3, 7, 1});
    }
  }
  for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_BF16}) {
    for (int rule : {0, int{VKV_SCALE_RULE_POW2}, int{VKV_SCALE_RULE_F32}}) {
      all.push_back({"ds_mla", dtype, kDsMla, 6, 512, 64, 3, 4, rule});
      all.push_back({"ds_mla, strided", dtype, kDsMla, 5, 512, 64, 3, 7, rule, 0.5, 2, 3, 1});
    }
  }
  all.push_back({"blocks of 1", kBF16, kE4M3, 9, 64, 16, 20, 1});
  all.push_back({"one block of 128", kBF16, kBF16, 9, 64, 16, 1, 128});
  all.push_back({"no rope", kBF16, kE4M3, 4, 64, 0});
  all.push_back({"no latent", kBF16, kE4M3, 4, 0, 64});
  all.push_back({"nothing", kBF16, kBF16, 4, 0, 0});
  all.push_back({"no tokens", kBF16, kBF16, 0});
  all.push_back({"no tokens, ds_mla", kBF16, kDsMla, 0});
  all.push_back({"many tokens", kBF16, kE4M3, 300, 256, 32, 25, 16});
  all.push_back({"many tokens, ds_mla", kBF16, kDsMla, 130, 512, 64, 3, 64});
  return all;
}

// The tensors of one case, filled, and the params that name them.
struct ConcatAndCacheMlaProblem {
  support::Array kv_c, k_pe, kv_cache, slot_mapping, scale;
  int32_t scale_rule;

  ConcatAndCacheMlaProblem(const support::Device& device, const ConcatAndCacheMla& c, support::Random& random)
      : kv_c(device, c.dtype, {c.tokens + c.padding, c.rank}, {c.rank + c.gap, 1}, c.offset),
        k_pe(device, c.dtype, {c.tokens + c.padding, c.rope}, {c.rope + c.gap, 1}, c.offset),
        slot_mapping(device, VKV_DTYPE_I64, {c.tokens}),
        scale_rule(c.scale_rule) {
    const bool ds_mla = c.cache_dtype == VKV_DTYPE_FP8_DS_MLA;
    const int64_t entry = ds_mla ? 656 : c.rank + c.rope, unit = ds_mla ? 4 : 1, stride = entry + c.gap * unit;
    kv_cache = support::Array(device, c.cache_dtype, {c.num_blocks, c.block_size, entry},
                              {c.block_size * stride + c.gap * unit, stride, 1}, c.offset * unit);
    kv_c.fill_normal(random);
    kv_c.plant_specials(random);
    k_pe.fill_bits(random);
    kv_cache.fill_bits(random);
    slot_mapping.fill_integers(random.slots(c.tokens, c.num_blocks * c.block_size));
    if (c.scale != 0) {
      scale = support::Array(device, VKV_DTYPE_F32, {1});
      scale.fill({c.scale});
    }
  }

  vkv_concat_and_cache_mla_params params() const {
    vkv_concat_and_cache_mla_params p = VKV_INIT(vkv_concat_and_cache_mla_params);
    p.kv_c = kv_c.view();
    p.k_pe = k_pe.view();
    p.kv_cache = kv_cache.view();
    p.slot_mapping = slot_mapping.view();
    p.scale = scale.view();
    p.scale_rule = scale_rule;
    return p;
  }
};

}  // namespace cases
