// The checked problem of vkv_concat_mla_q.
#pragma once

#include "core/tensor.hpp"

namespace vkv {

struct ConcatMlaQ {
  Tensor ql_nope, q_pe, q_out;
  int64_t num_tokens, num_heads, nope_dim, rope_dim;

  bool empty() const { return num_tokens == 0 || num_heads == 0; }
};

}  // namespace vkv
