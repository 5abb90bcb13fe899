#include "support/reference/ragged.hpp"

namespace reference {

Source source_of_row(const support::Array& offsets, const support::Array& seq_starts, const support::Array& block_table,
                     int64_t row, int64_t num_blocks, int64_t block_size) {
  const int64_t batch = block_table.dim(0);
  int64_t owner = -1;
  for (int64_t r = 0; r < batch; ++r) {
    const bool ended = r + 1 < offsets.size() && offsets.integer(r + 1) <= row;
    if (offsets.integer(r) <= row && !ended) owner = r;
  }
  if (owner < 0) return {false, false, 0, 0};
  const int64_t start = seq_starts.present() ? seq_starts.integer(owner) : 0;
  const int64_t position = row - offsets.integer(owner) + start, column = position / block_size;
  if (start < 0 || column >= block_table.dim(1)) return {true, false, 0, 0};
  const int64_t block = block_table.integer({owner, column});
  if (block < 0 || block >= num_blocks) return {true, false, 0, 0};
  return {true, true, block, position % block_size};
}

}  // namespace reference
