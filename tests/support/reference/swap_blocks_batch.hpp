#pragma once

#include "support/array.hpp"

namespace reference {

// sizes[i] bytes from src_ptrs[i] to dst_ptrs[i], in order, in dst's host image. Addresses lie in the memory of src and
// of dst; both are arrays of bytes.
void swap_blocks_batch(const support::Array& src, const support::Array& src_ptrs, const support::Array& dst_ptrs,
                       const support::Array& sizes, support::Array& dst);

}  // namespace reference
