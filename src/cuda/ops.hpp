// The CUDA backend's row of each op.
#pragma once

#include "core/backend.hpp"

namespace vkv::cuda {

template <class Problem>
[[noreturn]] std::size_t not_yet(const Context&, const Problem&) {
  fail(VKV_ERROR_NOT_SUPPORTED, "this operation is not on the CUDA backend yet; use the CPU backend");
}

template <class Problem>
void never(const Context&, const Problem&, vkv_stream) {}

inline constexpr Backend kBackend = {
    {not_yet, never},  // paged_attention
    {not_yet, never},  // merge_attn_states
    {not_yet, never},  // reshape_and_cache
    {not_yet, never},  // reshape_and_cache_flash
    {not_yet, never},  // concat_and_cache_mla
    {not_yet, never},  // concat_and_cache_mla_rope_fused
    {not_yet, never},  // convert_fp8
    {not_yet, never},  // gather_and_maybe_dequant_cache
    {not_yet, never},  // cp_gather_cache
    {not_yet, never},  // cp_gather_and_upconvert_fp8_kv_cache
    {not_yet, never},  // indexer_k_quant_and_cache
    {not_yet, never},  // cp_gather_indexer_k_quant_cache
    {not_yet, never},  // concat_mla_q
    {not_yet, never},  // swap_blocks
    {not_yet, never},  // swap_blocks_batch
    {not_yet, never},  // copy_blocks
};

}  // namespace vkv::cuda
