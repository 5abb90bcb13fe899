#pragma once

#include "support/array.hpp"

namespace reference {

// Writes one token's entry [kv_c | k_pe] into the host image of kv_cache: bits where the dtypes agree, else x / scale.
void mla_entry(const support::Array& kv_c, const support::Array& k_pe, int64_t token, double scale, int64_t slot,
               support::Array& kv_cache);

// Writes every token's entry into the host image of kv_cache. `scale` may be absent; `scale_rule` is of fp8_ds_mla.
void concat_and_cache_mla(const support::Array& kv_c, const support::Array& k_pe, const support::Array& slot_mapping,
                          const support::Array& scale, int32_t scale_rule, support::Array& kv_cache);

}  // namespace reference
