// Which decode kernel a problem takes, how deep its rings are, and how far the launch cuts sequences. Pure functions of shapes
// and of the device.
#pragma once

#include <algorithm>

#include "cuda/context.hpp"
#include "cuda/paged_attention/decode.hpp"
#include "cuda/paged_attention/loader.cuh"
#include "cuda/paged_attention/params.hpp"
#include "cuda/paged_attention/tree.cuh"
#include "cuda/policy.hpp"

namespace vkv::cuda {

// CTAs of one launch that leave parts behind, at most: bounds the workspace.
constexpr int64_t kMostParts = 16384;
// No part has more bytes of K and V, so that ragged batches end evenly.
constexpr int64_t kChunkBytes = 1 << 20;

struct DecodePlan {
  const DecodeInstance* instance;  // null: no kernel serves it
  int32_t ctas, stages;  // CTAs that share a multiprocessor, tiles in the rings of their warps
  int32_t longest_query;  // sequences of more query tokens are left to another kernel
  TreePolicy tree;
  int32_t least_cut, most_cut, chunk_tiles;
  int64_t row_tiles;  // of a sequence, at most
  int64_t units;      // (sequence, KV head, row tile)

  int64_t parts() const { return units << (2 * most_cut); }
};

DecodePlan decode_plan(const CudaContext& ctx, const PagedAttention& p, int32_t longest_query);
LoaderPolicy loader_policy(const PagedAttention& p, const AttentionParams& a, const DecodePlan& plan);

}  // namespace vkv::cuda
