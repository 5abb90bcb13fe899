// write_rows: the writer behind every cache whose entry is one or two packed runs of a token's elements
// (reshape_and_cache_flash: K and V; concat_and_cache_mla: latent and rope), copied or quantised to fp8.
#pragma once

#include "cuda/context.hpp"
#include "cuda/primitives/fast_div.cuh"
#include "cuda/primitives/paging.cuh"
#include "vkv.h"

namespace vkv::cuda {

// `heads` runs of one token; all strides in bytes.
struct RowSegment {
  const char* src;
  char* dst;
  int64_t src_token, src_head;
  int64_t dst_block, dst_token, dst_head;
  const float* scale;  // null = 1
  int64_t scale_head;  // in elements: 0 or the stride
  int64_t heads, elements;  // elements of one head's run
};

struct RowWrite {
  RowSegment segment[2];
  vkv_dtype from, to;  // equal: bits are copied
  int64_t tokens;
  Slots slots;
};

void write_rows(const CudaContext& ctx, const RowWrite& write, vkv_stream stream);

// A problem's slots.
inline Slots make_slots(const CudaContext& ctx, const Tensor& mapping, int64_t num_blocks, int64_t block_size, int32_t op) {
  return {mapping.as<const int64_t>(), mapping.stride[0], num_blocks * block_size, static_cast<uint32_t>(block_size), op,
          ctx.report};
}

}  // namespace vkv::cuda
