// The golden cases of each operation. A case that succeeds has tensors of unequal extents and, where they are free, of
// strides that are not compact, and options that are not the default; refusals and reports show that messages and
// statuses come through.
#pragma once

#include <vector>

#include "golden/golden.hpp"

namespace golden {

std::vector<Case> concat_and_cache_mla();
std::vector<Case> concat_and_cache_mla_rope_fused();
std::vector<Case> concat_mla_q();
std::vector<Case> convert_fp8();
std::vector<Case> copy_blocks();
std::vector<Case> cp_gather_and_upconvert_fp8_kv_cache();
std::vector<Case> cp_gather_cache();
std::vector<Case> cp_gather_indexer_k_quant_cache();
std::vector<Case> gather_and_maybe_dequant_cache();
std::vector<Case> indexer_k_quant_and_cache();
std::vector<Case> merge_attn_states();
std::vector<Case> paged_attention();
std::vector<Case> paged_attention_v1();
std::vector<Case> paged_attention_v2();
std::vector<Case> reshape_and_cache();
std::vector<Case> reshape_and_cache_flash();
std::vector<Case> swap_blocks();
std::vector<Case> swap_blocks_batch();

}  // namespace golden
