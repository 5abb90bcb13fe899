// Scales of quantised blocks: the largest magnitude over a group of lanes, and the smallest power of two not below a scale.
#pragma once

#include <cstdint>

namespace vkv::cuda {

// Over `kLanes` consecutive lanes (a power of two); every lane of the warp must take part.
template <int kLanes>
__device__ float group_max(float x) {
#pragma unroll
  for (int delta = kLanes / 2; delta > 0; delta /= 2) x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, delta));
  return x;
}

// From the exponent bits: exact for every normal scale; infinity stays.
__device__ inline float next_power_of_two(float scale) {
  return __uint_as_float((__float_as_uint(scale) + 0x7FFFFFu) & 0xFF800000u);
}

}  // namespace vkv::cuda
