// The CUDA backend's row of each op: plan_<family> selects (and refuses), run enqueues one launch.
#pragma once

#include "core/backend.hpp"

namespace vkv::cuda {

template <class Problem>
std::size_t no_workspace(const Context&, const Problem&) {
  return 0;
}

// paged_attention/
std::size_t plan_paged_attention(const Context&, const PagedAttention&);
void run(const Context&, const PagedAttention&, vkv_stream);
// cache_write/
void run(const Context&, const ReshapeAndCache&, vkv_stream);
void run(const Context&, const ReshapeAndCacheFlash&, vkv_stream);
void run(const Context&, const ConcatAndCacheMla&, vkv_stream);
void run(const Context&, const ConcatAndCacheMlaRopeFused&, vkv_stream);
void run(const Context&, const ConvertFp8&, vkv_stream);
void run(const Context&, const IndexerKQuantAndCache&, vkv_stream);
// cache_gather/
void run(const Context&, const GatherAndMaybeDequantCache&, vkv_stream);
void run(const Context&, const CpGatherCache&, vkv_stream);
void run(const Context&, const CpGatherAndUpconvertFp8KvCache&, vkv_stream);
void run(const Context&, const CpGatherIndexerKQuantCache&, vkv_stream);
// elementwise/
void run(const Context&, const MergeAttnStates&, vkv_stream);
void run(const Context&, const ConcatMlaQ&, vkv_stream);
// block_move/
void run(const Context&, const SwapBlocks&, vkv_stream);
void run(const Context&, const SwapBlocksBatch&, vkv_stream);
void run(const Context&, const CopyBlocks&, vkv_stream);

inline constexpr Backend kBackend = {
    {plan_paged_attention, run},
    {no_workspace, run},  // merge_attn_states
    {no_workspace, run},  // reshape_and_cache
    {no_workspace, run},  // reshape_and_cache_flash
    {no_workspace, run},  // concat_and_cache_mla
    {no_workspace, run},  // concat_and_cache_mla_rope_fused
    {no_workspace, run},  // convert_fp8
    {no_workspace, run},  // gather_and_maybe_dequant_cache
    {no_workspace, run},  // cp_gather_cache
    {no_workspace, run},  // cp_gather_and_upconvert_fp8_kv_cache
    {no_workspace, run},  // indexer_k_quant_and_cache
    {no_workspace, run},  // cp_gather_indexer_k_quant_cache
    {no_workspace, run},  // concat_mla_q
    {no_workspace, run},  // swap_blocks
    {no_workspace, run},  // swap_blocks_batch
    {no_workspace, run},  // copy_blocks
};

}  // namespace vkv::cuda
