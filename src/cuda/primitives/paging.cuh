// The two ways from a token to its cache entry, each with its bounds check: a slot, and a block table.
#pragma once

#include <cstdint>

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

// slot_mapping and the cache that it points into.
struct Slots {
  const int64_t* slots;
  int64_t stride;
  int64_t num_slots;  // num_blocks * block_size
  uint32_t block_size;
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
    if (slot <= 0xFFFFFFFFll) {
      const uint32_t s = static_cast<uint32_t>(slot), block = s / block_size;
      return {static_cast<int64_t>(block), s - block * block_size};
    }
    return {slot / block_size, static_cast<uint32_t>(slot % block_size)};
  }
#endif
};

// A padded block table and the cache that it points into.
struct BlockTable {
  const int32_t* table;
  int64_t row_stride;
  int64_t columns, num_blocks;
  uint32_t block_size;
  int32_t op;
  ReportWords* report;

#ifdef __CUDACC__
  // Place of token position `position` of sequence `row`.
  __device__ Place find(int64_t row, int64_t position, bool reports) const {
    if (position < 0) {
      if (reports) note(report, op, VKV_REPORT_POSITION, row, position, columns * block_size);
      return {-1, 0};
    }
    int64_t column;
    uint32_t offset;
    if (position <= 0xFFFFFFFFll) {
      const uint32_t p = static_cast<uint32_t>(position), c = p / block_size;
      column = c;
      offset = p - c * block_size;
    } else {
      column = position / block_size;
      offset = static_cast<uint32_t>(position % block_size);
    }
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
