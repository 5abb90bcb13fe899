// Cases of concat_mla_q: used by the tests, the benchmark and the support matrix.
#pragma once

#include <string>
#include <vector>

#include "support/array.hpp"

namespace cases {

struct ConcatMlaQ {
  std::string name;
  vkv_dtype dtype;
  int64_t tokens, heads, nope, rope;
  bool transposed_nope = false;  // ql_nope is a view of [heads, tokens, nope]
  int64_t offset = 0;            // elements by which every base is shifted
};

inline std::vector<ConcatMlaQ> concat_mla_q() {
  std::vector<ConcatMlaQ> all;
  for (int64_t heads : {1, 8, 33, 64, 128}) all.push_back({"heads", VKV_DTYPE_BF16, 3, heads, 512, 64});
  all.push_back({"f16", VKV_DTYPE_F16, 5, 16, 512, 64});
  all.push_back({"f32", VKV_DTYPE_F32, 5, 16, 512, 64});
  all.push_back({"nope 1024", VKV_DTYPE_BF16, 4, 16, 1024, 64});
  all.push_back({"odd sizes", VKV_DTYPE_BF16, 7, 3, 37, 5});
  all.push_back({"transposed", VKV_DTYPE_BF16, 9, 16, 512, 64, true});
  all.push_back({"misaligned", VKV_DTYPE_BF16, 9, 16, 512, 64, false, 1});
  all.push_back({"no rope", VKV_DTYPE_BF16, 2, 4, 512, 0});
  all.push_back({"no tokens", VKV_DTYPE_BF16, 0, 16, 512, 64});
  all.push_back({"no heads", VKV_DTYPE_BF16, 4, 0, 512, 64});
  all.push_back({"many tokens", VKV_DTYPE_BF16, 300, 16, 512, 64});
  return all;
}

// The tensors of one case, filled, and the params that name them.
struct ConcatMlaQProblem {
  support::Array ql_nope, q_pe, q_out;

  ConcatMlaQProblem(const support::Device& device, const ConcatMlaQ& c, support::Random& random)
      : ql_nope(device, c.dtype, {c.tokens, c.heads, c.nope},
                c.transposed_nope ? support::Shape{c.nope, c.tokens * c.nope, 1} : support::Shape{}, c.offset),
        q_pe(device, c.dtype, {c.tokens, c.heads, c.rope}, {}, c.offset),
        q_out(device, c.dtype, {c.tokens, c.heads, c.nope + c.rope}, {}, c.offset) {
    ql_nope.fill_bits(random);
    q_pe.fill_bits(random);
    q_out.fill_poison();
  }

  vkv_concat_mla_q_params params() const {
    vkv_concat_mla_q_params p = VKV_INIT(vkv_concat_mla_q_params);
    p.ql_nope = ql_nope.view();
    p.q_pe = q_pe.view();
    p.q_out = q_out.view();
    return p;
  }
};

}  // namespace cases
