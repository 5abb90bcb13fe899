// swap_blocks with the policy as an argument: the op passes the measured one, a measurement one way at a time.
#pragma once

#include "cuda/block_move/swap_policy.hpp"
#include "cuda/context.hpp"

namespace vkv::cuda {

void swap_blocks(const CudaContext& ctx, const SwapBlocks& q, const SwapPolicies& policies, vkv_stream stream);

}  // namespace vkv::cuda
