#pragma once

#include "support/array.hpp"

namespace reference {

// The tensors and options of vkv_paged_attention. Strided caches are [planes, num_blocks, block_size, kv_heads, dim or
// nvfp4 bytes], of which one plane counts; x-packed ones have the shapes of vkv.h.
struct PagedAttention {
  const support::Array &query, &key_cache, &value_cache;
  int64_t key_plane, value_plane;
  bool x_packed, swizzled_values;
  const support::Array &k_scale, &v_scale;                          // or absent, here and below
  const support::Array &block_table, &seq_lens;                     // or
  const support::Array &kv_indptr, &kv_indices, &kv_last_page_len;  // in order and in range
  const support::Array& query_start_loc;                            // likewise
  const support::Array &alibi_slopes, &sinks;
  double softmax_scale, softcap;  // 0: default, off
  int64_t window, max_seq_len;    // 0: off, what the table holds
  int64_t tp_rank, local_blocks, vert_stride, sparse_block_size, head_sliding_step;
};

struct AttentionRows {
  std::vector<double> out;  // [num_tokens, num_heads, head_dim]
  std::vector<double> lse;  // [num_tokens, num_heads]
  std::vector<bool> owned;  // [num_tokens]: a sequence has this row
};

// The formula of vkv.h in float64, token by token.
AttentionRows paged_attention(const PagedAttention& p);

}  // namespace reference
