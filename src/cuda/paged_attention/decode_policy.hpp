// Which decode kernel a problem takes, how deep its rings are, and how far the launch cuts sequences. Pure functions of shapes
// and of the device.
#pragma once

#include <algorithm>

#include "cuda/context.hpp"
#include "cuda/paged_attention/decode.hpp"
#include "cuda/paged_attention/loader.cuh"
#include "cuda/paged_attention/params.hpp"
#include "cuda/paged_attention/work.cuh"
#include "cuda/policy.hpp"

namespace vkv::cuda {

struct DecodePlan {
  const DecodeInstance* instance;  // null: no kernel serves it
  int32_t ctas, stages;  // CTAs that share a multiprocessor, tiles in the rings of their warps
  int32_t longest_query;  // sequences of more query tokens are left to another kernel
  int else_levels;  // of clusters, where as many as `work` has do not run at a time
  TreePolicy tree;
  WorkPolicy work;
  int64_t row_tiles;  // of a sequence, at most
  int64_t items;      // as in `work`, whatever fits there
  int64_t units;      // CTAs of an item: (KV head, row tile)

  int64_t parts() const { return items * units; }
  bool cuts() const { return work.balanced || work.most_cut > 0; }  // some sequence may have several parts
};

DecodePlan decode_plan(const CudaContext& ctx, const PagedAttention& p, int32_t longest_query);
LoaderPolicy loader_policy(const PagedAttention& p, const AttentionParams& a, const DecodePlan& plan);

}  // namespace vkv::cuda
