// Which tokens of a sequence one row, a query token and a query head, attends to.
#pragma once

#include "cuda/paged_attention/problem.cuh"

namespace vkv::cuda {

#ifdef __CUDACC__

struct RowSight {
  int32_t position, oldest;
  int32_t offset;  // of the block-sparse rule

  // `row`: counted over all query tokens and query heads of the KV head; the first token is at `first_position`.
  __device__ RowSight(const AttentionParams& p, int32_t first_position, int32_t row, int32_t kv_head) {
    uint32_t in_group;
    position = first_position + static_cast<int32_t>(p.group.divide(static_cast<uint32_t>(row), in_group));
    oldest = p.oldest(position);
    const int32_t head = kv_head * static_cast<int32_t>(p.group.divisor) + static_cast<int32_t>(in_group);
    offset = p.sparse.vert_stride > 1 ? p.sparse.offset(head, kv_head) : 0;
  }
  __device__ bool sees(const AttentionParams& p, int32_t token) const {
    if (token > position || token < oldest) return false;
    if (p.sparse.vert_stride <= 1) return true;
    const uint32_t block = p.pages.block_size.divide(static_cast<uint32_t>(token)) * p.pages.block_size.divisor;
    return p.sparse.attends(position, block, offset);
  }
};

#endif

}  // namespace vkv::cuda
