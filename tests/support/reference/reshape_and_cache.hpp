#pragma once

#include "support/array.hpp"

namespace reference {

// vkv_reshape_and_cache, one side each: writes [tokens, heads, dim] into the host image of a cache
// [num_blocks, heads, dim / x, block_size, x] (keys) or [num_blocks, heads, dim, block_size] (values). Slots outside
// the cache are skipped.
void reshape_and_cache_keys(const support::Array& key, const support::Array& slots, const support::Array& scale,
                            support::Array& cache);
void reshape_and_cache_values(const support::Array& value, const support::Array& slots, const support::Array& scale,
                              support::Array& cache);

}  // namespace reference
