// The checked problem of vkv_paged_attention, _v1 and _v2.
#pragma once

#include "core/tensor.hpp"

namespace vkv {

// vLLM's block-sparse rule; off unless vert_stride > 1.
struct BlockSparse {
  int32_t tp_rank, local_blocks, vert_stride, block_size, head_sliding_step;
};

struct PagedAttention {
  int32_t op;  // VKV_OP_*, for the device report
  Tensor query, out, lse;
  Tensor key_cache, value_cache, k_scale, v_scale;
  Tensor block_table, seq_lens;                    // padded form, or
  Tensor kv_indptr, kv_indices, kv_last_page_len;  // CSR form
  Tensor query_start_loc, alibi_slopes, sinks;
  int64_t num_tokens, num_seqs, num_heads, num_kv_heads, head_dim, num_blocks, block_size;
  int64_t table_columns;   // padded: columns of block_table; CSR: length of kv_indices
  int64_t max_seq_len;     // resolved: at most what the table can hold and 2^31 - 1; 0 only for an empty table
  int64_t max_query_len;   // resolved
  float softmax_scale;     // resolved
  float logit_softcap;     // 0 = off
  int64_t sliding_window;  // 0 = off
  bool csr, x_packed;
  bool nvfp4_swizzled_v;  // an NVFP4 block's rows lie in the order of its strides
  BlockSparse sparse;
  void* workspace;
  uint64_t workspace_size;

  bool empty() const { return num_tokens == 0 || num_seqs == 0 || num_heads == 0; }
};

}  // namespace vkv
