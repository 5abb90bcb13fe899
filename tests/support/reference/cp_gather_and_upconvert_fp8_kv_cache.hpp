#pragma once

#include "support/array.hpp"

namespace reference {

// Writes the rows that a sequence owns into the host image of dst. Returns how many lie nowhere in the cache.
int64_t cp_gather_and_upconvert_fp8_kv_cache(const support::Array& src_cache, const support::Array& block_table,
                                             const support::Array& workspace_starts, const support::Array& seq_starts,
                                             support::Array& dst);

}  // namespace reference
