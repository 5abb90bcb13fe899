#include "support/reference/copy_blocks.hpp"

namespace reference {

void copy_blocks(const support::Array& mapping, support::Array& cache) {
  for (int64_t pair = 0; pair < mapping.dim(0); ++pair) {
    const int64_t i = mapping.integer({pair, 0}), j = mapping.integer({pair, 1});
    if (i < 0 || i >= cache.dim(0) || j < 0 || j >= cache.dim(0)) continue;
    for (int64_t k = 0; k < cache.dim(1); ++k) cache.set_bits({j, k}, cache.bits({i, k}));
  }
}

}  // namespace reference
