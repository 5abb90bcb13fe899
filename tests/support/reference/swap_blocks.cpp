#include "support/reference/swap_blocks.hpp"

namespace reference {

namespace {

// Where byte k of a block, counted without gaps, lies from the array's base.
int64_t place(const support::Array& pool, int64_t block, int64_t k) {
  const int64_t element = support::element_size(pool.dtype()), elements = pool.size() / pool.dim(0);
  return pool.offset(block * elements + k / element) * element + k % element;
}

}  // namespace

void swap_blocks(const support::Array& src, const support::Array& mapping, support::Array& dst) {
  for (int64_t pair = 0; pair < mapping.dim(0); ++pair) {
    const int64_t i = mapping.integer({pair, 0}), j = mapping.integer({pair, 1});
    const int64_t bytes = src.size() / src.dim(0) * support::element_size(src.dtype());
    for (int64_t k = 0; k < bytes; ++k) dst.base()[place(dst, j, k)] = src.base()[place(src, i, k)];
  }
}

}  // namespace reference
