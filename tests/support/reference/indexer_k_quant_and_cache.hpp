#pragma once

#include "support/array.hpp"

namespace reference {

// Writes every token's key and scales into the host image of kv_cache. Zero quant_block_size and scale_rule as in the
// op.
void indexer_k_quant_and_cache(const support::Array& k, const support::Array& slot_mapping, int64_t quant_block_size,
                               int32_t scale_rule, support::Array& kv_cache);

}  // namespace reference
