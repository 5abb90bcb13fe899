#pragma once

#include "support/array.hpp"

namespace reference {

// Bits of q_out, row-major: [ql_nope | q_pe] for each token and head.
std::vector<uint64_t> concat_mla_q(const support::Array& ql_nope, const support::Array& q_pe);

}  // namespace reference
