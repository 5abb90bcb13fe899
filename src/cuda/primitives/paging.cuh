// The two ways from a token to its cache entry, each with its bounds check: a slot, and a block table.
#pragma once

#include <cstdint>

#include "cuda/primitives/fast_div.cuh"
#include "cuda/primitives/report.cuh"
#include "vkv.h"

namespace vkv::cuda {

struct Place {
  int64_t block;  // negative: no place (padding, or reported)
  uint32_t offset;
#ifdef __CUDACC__
  __device__ bool valid() const { return block >= 0; }
#endif
};

// Division of 64-bit token numbers by the block size: fast below 2^31.
struct BlockDiv {
  FastDiv fast;
  BlockDiv() = default;
  BlockDiv(int64_t block_size) : fast(static_cast<uint32_t>(block_size)) {}
#ifdef __CUDACC__
  __device__ int64_t divide(int64_t n, uint32_t& offset) const {
    if (n <= 0x7FFFFFFFll) return fast.divide(static_cast<uint32_t>(n), offset);
    offset = static_cast<uint32_t>(n % fast.divisor);
    return n / fast.divisor;
  }
#endif
};

// slot_mapping and the cache that it points into.
struct Slots {
  const int64_t* slots;
  int64_t stride;
  int64_t num_slots;  // num_blocks * block_size
  BlockDiv block_size;
  int32_t op;
  ReportWords* report;

#ifdef __CUDACC__
  __device__ int64_t load(int64_t token) const { return __ldg(slots + token * stride); }

  // `reports`: exactly one thread of those that look at this token.
  __device__ Place decode(int64_t token, int64_t slot, bool reports) const {
    if (slot >= num_slots) {
      if (reports) note(report, op, VKV_REPORT_SLOT, token, slot, num_slots);
      return {-1, 0};
    }
    if (slot < 0) return {-1, 0};
    Place place;
    place.block = block_size.divide(slot, place.offset);
    return place;
  }
#endif
};

// A table entry of row 0 that was loaded before it was known to be the one wanted.
struct TableGuess {
  uint32_t column;
  int32_t block;
};

// A padded block table and the cache that it points into.
struct BlockTable {
  const int32_t* table;
  int64_t row_stride;
  uint32_t columns;
  uint32_t usable_blocks;  // num_blocks, or 0 where blocks have no tokens
  FastDiv block_size;
  int64_t num_blocks;
  int32_t op;
  ReportWords* report;

  static constexpr TableGuess kNoGuess = {0xFFFFFFFFu, 0};

#ifdef __CUDACC__
  __device__ TableGuess guess(uint32_t position) const {
    const uint32_t column = block_size.divide(position);
    if (column >= columns) return kNoGuess;
    return {column, __ldg(table + column)};
  }

  // Place of token position `position`, 0 or more, of sequence `row`. `reports`: exactly one thread of those that ask for it.
  __device__ Place find(uint32_t row, int64_t position, bool reports, TableGuess guess = kNoGuess) const;
#endif
};

#ifdef __CUDACC__

// find() for every position. Out of line: it is for positions past 2^31, and for those that are nowhere.
static __device__ __noinline__ int64_t find_anywhere(const BlockTable& t, uint32_t row, int64_t position, bool reports) {
  const int64_t size = t.block_size.divisor, column = size > 0 ? position / size : t.columns;
  if (column >= t.columns) {
    if (reports) note(t.report, t.op, VKV_REPORT_TABLE_COLUMN, row, column, t.columns);
    return -1;
  }
  const int32_t block = __ldg(t.table + row * t.row_stride + column);
  if (block < 0 || block >= t.num_blocks) {
    if (reports) note(t.report, t.op, VKV_REPORT_BLOCK_ID, static_cast<int64_t>(row) * t.columns + column, block, t.num_blocks);
    return -1;
  }
  return static_cast<int64_t>(block) << 32 | (position - column * size);
}

inline __device__ Place BlockTable::find(uint32_t row, int64_t position, bool reports, TableGuess guess) const {
  if (position >> 31 == 0) {
    uint32_t offset;
    const uint32_t column = block_size.divide(static_cast<uint32_t>(position), offset);
    if (column < columns) {
      const bool guessed = row == 0 && column == guess.column;
      const int32_t block = guessed ? guess.block : __ldg(table + row * row_stride + column);
      if (static_cast<uint32_t>(block) < usable_blocks) return {block, offset};
    }
  }
  const int64_t found = find_anywhere(*this, row, position, reports);
  if (found < 0) return {-1, 0};
  return {found >> 32, static_cast<uint32_t>(found)};
}

#endif

}  // namespace vkv::cuda
