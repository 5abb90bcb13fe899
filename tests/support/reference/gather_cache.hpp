#pragma once

#include "support/array.hpp"

namespace reference {

// Rows [0, rows) of dst that a sequence owns, in its host image: the bits of the cache's entry, or, where the dtypes
// differ, stored * scale in float32, rounded to the dtype of dst. A row that lies nowhere in the cache becomes 0; returns
// how many do. seq_starts and scale may be absent.
int64_t gather_cache(const support::Array& src_cache, const support::Array& block_table,
                     const support::Array& cu_seq_lens, const support::Array& seq_starts, const support::Array& scale,
                     int64_t rows, support::Array& dst);

}  // namespace reference
