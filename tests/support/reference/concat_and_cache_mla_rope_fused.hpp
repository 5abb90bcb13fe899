#pragma once

#include "support/array.hpp"

namespace reference {

// Rotates q_pe and k_pe and writes kv_cache, all in their host images, for every token with a slot and a position in
// range.
void concat_and_cache_mla_rope_fused(const support::Array& positions, support::Array& q_pe, support::Array& k_pe,
                                     const support::Array& kv_c, const support::Array& cos_sin_cache,
                                     const support::Array& slot_mapping, const support::Array& kv_cache_scale,
                                     int32_t rope_style, support::Array& kv_cache);

}  // namespace reference
