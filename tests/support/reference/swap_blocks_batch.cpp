#include "support/reference/swap_blocks_batch.hpp"

namespace reference {

void swap_blocks_batch(const support::Array& src, const support::Array& src_ptrs, const support::Array& dst_ptrs,
                       const support::Array& sizes, support::Array& dst) {
  for (int64_t i = 0; i < sizes.dim(0); ++i) {
    const int64_t from = src_ptrs.integer(i) - reinterpret_cast<int64_t>(src.view().data);
    const int64_t to = dst_ptrs.integer(i) - reinterpret_cast<int64_t>(dst.view().data);
    for (int64_t k = 0; k < sizes.integer(i); ++k) dst.set_bits(to + k, src.bits(from + k));
  }
}

}  // namespace reference
