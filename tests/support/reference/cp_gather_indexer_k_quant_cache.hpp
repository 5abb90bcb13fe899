#pragma once

#include "support/array.hpp"

namespace reference {

// Writes the rows that a sequence owns into the host images of dst_k and dst_scale. Returns how many lie nowhere in the
// cache.
int64_t cp_gather_indexer_k_quant_cache(const support::Array& kv_cache, const support::Array& block_table,
                                        const support::Array& cu_seq_lens, support::Array& dst_k,
                                        support::Array& dst_scale);

}  // namespace reference
