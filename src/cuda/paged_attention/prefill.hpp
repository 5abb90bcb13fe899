// Attention of many query tokens at once (prompts, chunked prefill): tiles of query rows against tiles of the cache.
#pragma once

#include "cuda/context.hpp"
#include "cuda/paged_attention/problem.cuh"
#include "ops/paged_attention.hpp"

namespace vkv::cuda {

// Sequences with at least this many query tokens are the prefill kernel's where it serves, and none of the decode
// kernel's.
inline constexpr int32_t kPrefillQueries = 32;

// Whether prefill takes the long ones of these sequences: 16-bit queries over a cache of the same type, head sizes up
// to 128.
bool prefill_serves(const PagedAttention& p);

// Enqueues it, if any sequence can be long enough.
void launch_prefill(const CudaContext& ctx, const PagedAttention& p, const AttentionParams& params, vkv_stream stream);

}  // namespace vkv::cuda
