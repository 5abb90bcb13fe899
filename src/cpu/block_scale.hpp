// Scales of quantised blocks under VKV_SCALE_RULE_POW2.
#pragma once

#include <cstdint>

namespace vkv::cpu {

// The smallest power of two that is not below x, from its bits; x is normal and positive, or infinite.
// For x = float32(A / 448) it is also the smallest that is not below A / 448 itself: the division rounds to a power of
// two only what is one or lies below it, because float32s next to 448 * 2^k are more than half a step of the quotient
// away.
inline float pow2_not_below(float x) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, x);
  return __builtin_bit_cast(float, (bits + 0x007FFFFFu) & 0x7F800000u);
}

}  // namespace vkv::cpu
