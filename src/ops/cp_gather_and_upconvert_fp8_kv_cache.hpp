// The checked problem of vkv_cp_gather_and_upconvert_fp8_kv_cache.
#pragma once

#include "ops/concat_and_cache_mla.hpp"

namespace vkv {

struct CpGatherAndUpconvertFp8KvCache {
  Tensor src_cache, dst, block_table, workspace_starts, seq_starts;
  int64_t num_rows, batch, num_blocks, block_size, table_columns;

  bool empty() const { return num_rows == 0 || batch == 0; }
};

}  // namespace vkv
