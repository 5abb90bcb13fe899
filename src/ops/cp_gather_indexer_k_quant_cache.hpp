// The checked problem of vkv_cp_gather_indexer_k_quant_cache.
#pragma once

#include "core/tensor.hpp"

namespace vkv {

struct CpGatherIndexerKQuantCache {
  Tensor kv_cache, dst_k, dst_scale, block_table, cu_seq_lens;
  int64_t num_rows, head_dim, scales_per_row, batch, num_blocks, block_size, table_columns;

  bool empty() const { return num_rows == 0 || batch == 0 || head_dim == 0; }
};

}  // namespace vkv
