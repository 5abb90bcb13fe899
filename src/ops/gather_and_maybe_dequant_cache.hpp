// The checked problem of vkv_gather_and_maybe_dequant_cache.
#pragma once

#include "core/tensor.hpp"

namespace vkv {

struct GatherAndMaybeDequantCache {
  Tensor src_cache, dst, block_table, cu_seq_lens, seq_starts, scale;
  int64_t num_tokens, entry, batch, num_blocks, block_size, table_columns;

  bool empty() const { return num_tokens == 0 || batch == 0 || entry == 0; }
};

}  // namespace vkv
