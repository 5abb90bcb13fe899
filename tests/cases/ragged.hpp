// Ragged sequences in a paged cache, and the dense buffer that a gather copies them to: shared by the cases of the
// gathers.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "support/array.hpp"

namespace cases {

struct Ragged {
  std::vector<int64_t> lengths;
  int64_t block_size;
  std::vector<int64_t> starts = {};  // first token of each sequence; empty: seq_starts absent
  int64_t lead = 0, tail = 0;        // rows of the buffer before the first and after the last sequence
  int64_t num_blocks = 7;
  int64_t columns = 0;               // of the block table; 0 = as many as are needed, and one more

  int64_t batch() const { return static_cast<int64_t>(lengths.size()); }
  int64_t start(int64_t sequence) const { return starts.empty() ? 0 : starts.at(static_cast<std::size_t>(sequence)); }
  int64_t length(int64_t sequence) const { return lengths.at(static_cast<std::size_t>(sequence)); }
  int64_t rows() const {
    int64_t n = lead + tail;
    for (int64_t length : lengths) n += length;
    return n;
  }
};

// The tensors that say where each row lies. Table entries that no row needs are out of range: they must not be looked
// at.
struct RaggedTensors {
  support::Array block_table, offsets, seq_starts;

  // `with_end`: offsets are [batch + 1] cu_seq_lens, else [batch] starts.
  RaggedTensors(const support::Device& device, const Ragged& c, bool with_end, support::Random& random)
      : offsets(device, VKV_DTYPE_I32, {c.batch() + (with_end ? 1 : 0)}) {
    int64_t columns = c.columns, row = c.lead;
    for (int64_t s = 0; s < c.batch(); ++s) {
      offsets.set_bits(s, static_cast<uint64_t>(row));
      row += c.length(s);
      if (c.columns == 0) columns = std::max(columns, (c.start(s) + c.length(s)) / c.block_size + 2);
    }
    if (with_end) offsets.set_bits(c.batch(), static_cast<uint64_t>(row));
    offsets.upload();
    constexpr int64_t kRowGap = 3;
    block_table = support::Array(device, VKV_DTYPE_I32, {c.batch(), columns}, {columns + kRowGap, 1});
    const int64_t bad[] = {-1, c.num_blocks, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
    for (int64_t s = 0; s < c.batch(); ++s) {
      for (int64_t column = 0; column < columns; ++column) {
        const bool needed = c.length(s) > 0 && column >= c.start(s) / c.block_size &&
                            column <= (c.start(s) + c.length(s) - 1) / c.block_size;
        const int64_t id = needed ? random.integer(0, c.num_blocks - 1) : bad[random.integer(0, 3)];
        block_table.set_bits({s, column}, static_cast<uint64_t>(id));
      }
    }
    block_table.upload();
    if (!c.starts.empty()) {
      seq_starts = support::Array(device, VKV_DTYPE_I32, {c.batch()});
      seq_starts.fill_integers(c.starts);
    }
  }
};

}  // namespace cases
