#include "support/reference/concat_and_cache_mla_rope_fused.hpp"

#include "support/reference/concat_and_cache_mla.hpp"

namespace reference {

namespace {

// Rotates the rope_dim elements that begin at row-major position `first`. float64 holds each product exactly, and each
// sum closely enough that rounding it once more changes nothing (53 bits are at least 2 * 24 + 2).
void rotate(support::Array& a, int64_t first, const support::Array& cos_sin, int64_t position, int32_t style) {
  const int64_t half = cos_sin.dim(1) / 2;
  const auto round = [&](double x) { return support::rounded(a.dtype(), x); };
  for (int64_t i = 0; i < half; ++i) {
    const int64_t at_x = first + (style == VKV_ROPE_GPTJ ? 2 * i : i),
                  at_y = first + (style == VKV_ROPE_GPTJ ? 2 * i + 1 : i + half);
    const double x = a.at(at_x), y = a.at(at_y), c = cos_sin.at({position, i}), s = cos_sin.at({position, half + i});
    a.set(at_x, round(x * c) - round(y * s));
    a.set(at_y, round(y * c) + round(x * s));
  }
}

}  // namespace

void concat_and_cache_mla_rope_fused(const support::Array& positions, support::Array& q_pe, support::Array& k_pe,
                                     const support::Array& kv_c, const support::Array& cos_sin_cache,
                                     const support::Array& slot_mapping, const support::Array& kv_cache_scale,
                                     int32_t rope_style, support::Array& kv_cache) {
  const int64_t heads = q_pe.dim(1), dim = q_pe.dim(2);
  for (int64_t n = 0; n < slot_mapping.size(); ++n) {
    const int64_t slot = slot_mapping.integer(n), position = positions.integer(n);
    if (slot < 0 || slot >= kv_cache.dim(0) * kv_cache.dim(1)) continue;
    if (position < 0 || position >= cos_sin_cache.dim(0)) continue;
    for (int64_t h = 0; h < heads; ++h) rotate(q_pe, (n * heads + h) * dim, cos_sin_cache, position, rope_style);
    rotate(k_pe, n * dim, cos_sin_cache, position, rope_style);
    mla_entry(kv_c, k_pe, n, kv_cache_scale.present() ? kv_cache_scale.at(0) : 1.0, slot, kv_cache);
  }
}

}  // namespace reference
