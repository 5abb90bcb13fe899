#include "support/reference/concat_and_cache_mla.hpp"

#include <algorithm>

#include "support/reference/block_scale.hpp"

namespace reference {

void mla_entry(const support::Array& kv_c, const support::Array& k_pe, int64_t token, double scale, int64_t slot,
               support::Array& kv_cache) {
  const int64_t rank = kv_c.dim(1), block = slot / kv_cache.dim(1), offset = slot % kv_cache.dim(1);
  for (int64_t d = 0; d < kv_cache.dim(2); ++d) {
    const support::Array& half = d < rank ? kv_c : k_pe;
    const int64_t i = half.position({token, d < rank ? d : d - rank});
    const bool copied = half.dtype() == kv_cache.dtype();
    kv_cache.set_bits({block, offset, d}, copied ? half.bits(i) : quantised(kv_cache.dtype(), half.at(i), scale));
  }
}

namespace {

void ds_mla_entry(const support::Array& kv_c, const support::Array& k_pe, int64_t token, int32_t scale_rule,
                  int64_t slot, support::Array& kv_cache) {
  const int64_t entry = slot * 656;  // row-major position of its first byte
  for (int64_t tile = 0; tile < 4; ++tile) {
    const double exact = largest_magnitude(kv_c, token, tile * 128, 128) / 448;
    const double scale = scale_rule == VKV_SCALE_RULE_F32 ? std::max(support::rounded(VKV_DTYPE_F32, exact), 0x1p-126)
                                                          : power_of_two_not_below(std::max(exact, 1e-4));
    for (int64_t d = tile * 128; d < tile * 128 + 128; ++d) {
      kv_cache.set_bits(entry + d, quantised(VKV_DTYPE_FP8_E4M3, kv_c.at({token, d}), scale));
    }
    set_f32_bytes(kv_cache, entry + 512 + tile * 4, scale);
  }
  for (int64_t d = 0; d < 64; ++d) {
    const uint64_t bits = k_pe.bits({token, d});
    kv_cache.set_bits(entry + 528 + 2 * d, bits & 0xFF);
    kv_cache.set_bits(entry + 528 + 2 * d + 1, bits >> 8);
  }
}

}  // namespace

void concat_and_cache_mla(const support::Array& kv_c, const support::Array& k_pe, const support::Array& slot_mapping,
                          const support::Array& scale, int32_t scale_rule, support::Array& kv_cache) {
  for (int64_t n = 0; n < slot_mapping.size(); ++n) {
    const int64_t slot = slot_mapping.integer(n);
    if (slot < 0 || slot >= kv_cache.dim(0) * kv_cache.dim(1)) continue;
    if (kv_cache.dtype() == VKV_DTYPE_FP8_DS_MLA) {
      ds_mla_entry(kv_c, k_pe, n, scale_rule, slot, kv_cache);
    } else {
      mla_entry(kv_c, k_pe, n, scale.present() ? scale.at(0) : 1.0, slot, kv_cache);
    }
  }
}

}  // namespace reference
