// Division of 32-bit numbers by a number known at launch: one multiply-high and a shift.
#pragma once

#include <cstdint>

namespace vkv::cuda {

struct FastDiv {
  uint32_t divisor = 1, multiplier = 0x80000000u, shift = 0;

  FastDiv() = default;
  // Exact for dividends below 2^31 (Granlund and Montgomery, 1994).
  explicit FastDiv(uint32_t d) : divisor(d) {
    if (d <= 1) return;
    while ((uint64_t{1} << shift) < d) ++shift;
    multiplier = static_cast<uint32_t>(((uint64_t{1} << (31 + shift)) + d - 1) / d);
  }

#ifdef __CUDACC__
  __device__ uint32_t divide(uint32_t n) const { return __umulhi(2 * n, multiplier) >> shift; }
  __device__ uint32_t divide(uint32_t n, uint32_t& remainder) const {
    const uint32_t quotient = divide(n);
    remainder = n - quotient * divisor;
    return quotient;
  }
#endif
};

}  // namespace vkv::cuda
