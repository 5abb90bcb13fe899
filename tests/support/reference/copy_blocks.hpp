#pragma once

#include "support/array.hpp"

namespace reference {

// Block j = block i for each row (i, j) of the mapping, in the host image of one cache: [num_blocks, bytes]. A row with
// an id outside the cache copies nothing.
void copy_blocks(const support::Array& mapping, support::Array& cache);

}  // namespace reference
