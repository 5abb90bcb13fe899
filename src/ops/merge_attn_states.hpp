// The checked problem of vkv_merge_attn_states.
#pragma once

#include "core/tensor.hpp"

namespace vkv {

struct MergeAttnStates {
  Tensor output, output_lse, prefix_output, prefix_lse, suffix_output, suffix_lse, output_scale;
  int64_t num_tokens, num_heads, head_dim;
  int64_t num_merged;  // tokens [num_merged, num_tokens) take the suffix alone

  bool empty() const { return num_tokens == 0 || num_heads == 0; }
};

}  // namespace vkv
