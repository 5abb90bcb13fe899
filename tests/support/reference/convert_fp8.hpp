#pragma once

#include "support/array.hpp"

namespace reference {

// Bits of dst, row-major: narrow(src / scale), or src * scale rounded to dst. A scale of 0 means 1.
std::vector<uint64_t> convert_fp8(const support::Array& src, vkv_dtype dst, double scale);

}  // namespace reference
