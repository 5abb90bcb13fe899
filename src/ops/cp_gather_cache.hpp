// The checked problem of vkv_cp_gather_cache.
#pragma once

#include "core/tensor.hpp"

namespace vkv {

struct CpGatherCache {
  Tensor src_cache, dst, block_table, cu_seq_lens, seq_starts;
  int64_t num_rows, entry_bytes, batch, num_blocks, block_size, table_columns;

  bool empty() const { return num_rows == 0 || batch == 0 || entry_bytes == 0; }
};

}  // namespace vkv
