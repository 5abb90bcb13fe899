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

// A padded block table and the cache that it points into.
struct BlockTable {
  const int32_t* table;
  int64_t row_stride;
  int64_t columns, num_blocks;
  BlockDiv block_size;
  int32_t op;
  ReportWords* report;

#ifdef __CUDACC__
  // Place of token position `position` of sequence `row`.
  __device__ Place find(int64_t row, int64_t position, bool reports) const {
    if (position < 0) {
      if (reports) note(report, op, VKV_REPORT_POSITION, row, position, columns * block_size.fast.divisor);
      return {-1, 0};
    }
    uint32_t offset;
    const int64_t column = block_size.fast.divisor == 0 ? columns : block_size.divide(position, offset);
    if (column >= columns) {
      if (reports) note(report, op, VKV_REPORT_TABLE_COLUMN, row, column, columns);
      return {-1, 0};
    }
    const int32_t block = __ldg(table + row * row_stride + column);
    if (block < 0 || block >= num_blocks) {
      if (reports) note(report, op, VKV_REPORT_BLOCK_ID, row * columns + column, block, num_blocks);
      return {-1, 0};
    }
    return {block, offset};
  }
#endif
};

}  // namespace vkv::cuda
