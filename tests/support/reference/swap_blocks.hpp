#pragma once

#include "support/array.hpp"

namespace reference {

// Block j of dst = block i of src for each row (i, j) of the mapping, in order, in dst's host image.
void swap_blocks(const support::Array& src, const support::Array& mapping, support::Array& dst);

}  // namespace reference
