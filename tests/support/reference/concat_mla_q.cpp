#include "support/reference/concat_mla_q.hpp"

namespace reference {

std::vector<uint64_t> concat_mla_q(const support::Array& ql_nope, const support::Array& q_pe) {
  std::vector<uint64_t> out;
  for (int64_t n = 0; n < ql_nope.dim(0); ++n) {
    for (int64_t h = 0; h < ql_nope.dim(1); ++h) {
      for (int64_t d = 0; d < ql_nope.dim(2); ++d) out.push_back(ql_nope.bits({n, h, d}));
      for (int64_t d = 0; d < q_pe.dim(2); ++d) out.push_back(q_pe.bits({n, h, d}));
    }
  }
  return out;
}

}  // namespace reference
