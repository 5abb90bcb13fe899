// What a backend is: one row of two functions for each op. Nothing else of a backend is visible outside its folder.
#pragma once

#include <cstddef>

#include "ops/block_move.hpp"
#include "ops/concat_and_cache_mla.hpp"
#include "ops/concat_and_cache_mla_rope_fused.hpp"
#include "ops/concat_mla_q.hpp"
#include "ops/convert_fp8.hpp"
#include "ops/cp_gather_and_upconvert_fp8_kv_cache.hpp"
#include "ops/cp_gather_cache.hpp"
#include "ops/cp_gather_indexer_k_quant_cache.hpp"
#include "ops/gather_and_maybe_dequant_cache.hpp"
#include "ops/indexer_k_quant_and_cache.hpp"
#include "ops/merge_attn_states.hpp"
#include "ops/paged_attention.hpp"
#include "ops/reshape_and_cache.hpp"
#include "ops/reshape_and_cache_flash.hpp"

namespace vkv {

using Context = ::vkv_context;

template <class Problem>
struct OpRow {
  // The one selector: throws NOT_SUPPORTED with what would be supported, else returns the bytes of workspace needed.
  // Looks at shapes, dtypes, strides and bounds; data pointers may be null.
  std::size_t (*plan)(const Context&, const Problem&);
  // Does or enqueues the work of a planned, non-empty problem.
  void (*run)(const Context&, const Problem&, vkv_stream);
};

struct Backend {
  OpRow<PagedAttention> paged_attention;
  OpRow<MergeAttnStates> merge_attn_states;
  OpRow<ReshapeAndCache> reshape_and_cache;
  OpRow<ReshapeAndCacheFlash> reshape_and_cache_flash;
  OpRow<ConcatAndCacheMla> concat_and_cache_mla;
  OpRow<ConcatAndCacheMlaRopeFused> concat_and_cache_mla_rope_fused;
  OpRow<ConvertFp8> convert_fp8;
  OpRow<GatherAndMaybeDequantCache> gather_and_maybe_dequant_cache;
  OpRow<CpGatherCache> cp_gather_cache;
  OpRow<CpGatherAndUpconvertFp8KvCache> cp_gather_and_upconvert_fp8_kv_cache;
  OpRow<IndexerKQuantAndCache> indexer_k_quant_and_cache;
  OpRow<CpGatherIndexerKQuantCache> cp_gather_indexer_k_quant_cache;
  OpRow<ConcatMlaQ> concat_mla_q;
  OpRow<SwapBlocks> swap_blocks;
  OpRow<SwapBlocksBatch> swap_blocks_batch;
  OpRow<CopyBlocks> copy_blocks;
};

}  // namespace vkv
