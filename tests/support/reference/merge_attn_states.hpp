#pragma once

#include "support/array.hpp"

namespace reference {

struct Merged {
  std::vector<double> output;  // [tokens, heads, dim], before it is rounded or narrowed
  std::vector<double> lse;     // [heads, tokens]
};

// The formula in float64. Tokens from `merged_tokens` on take the suffix alone.
Merged merge_attn_states(const support::Array& prefix_output, const support::Array& prefix_lse,
                         const support::Array& suffix_output, const support::Array& suffix_lse, int64_t merged_tokens);

}  // namespace reference
