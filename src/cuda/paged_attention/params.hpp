// From the checked problem to what kernels are given.
#pragma once

#include "cuda/context.hpp"
#include "cuda/paged_attention/problem.cuh"
#include "ops/paged_attention.hpp"

namespace vkv::cuda {

AttentionParams attention_params(const CudaContext& ctx, const PagedAttention& p);

}  // namespace vkv::cuda
