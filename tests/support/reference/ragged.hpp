#pragma once

#include "support/array.hpp"

namespace reference {

// Where a row of a gather comes from.
struct Source {
  bool owned;     // some sequence owns the row
  bool in_cache;  // and it lies in the cache, at:
  int64_t block, offset;
};

// `offsets`: [batch + 1] cu_seq_lens, or [batch] starts of which the last has no end; in order. seq_starts may be
// absent.
Source source_of_row(const support::Array& offsets, const support::Array& seq_starts, const support::Array& block_table,
                     int64_t row, int64_t num_blocks, int64_t block_size);

}  // namespace reference
