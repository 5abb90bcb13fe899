// Copies by warps: all loads of a round in flight before its first store.
#pragma once

#include <cstdint>
#include <type_traits>

#include "cuda/primitives/memory.cuh"

namespace vkv::cuda {

// `bytes`, a multiple of kUnit, from `src` to `dst`, both aligned to kUnit; by a whole warp.
template <int kUnit>
__device__ void copy_bytes(const char* src, char* dst, uint32_t bytes, unsigned lane) {
  constexpr int kDepth = 8;
  const uint32_t units = bytes / kUnit;
  for (uint32_t first = lane; first < units; first += 32 * kDepth) {
    Bytes<kUnit> value[kDepth];
#pragma unroll
    for (int i = 0; i < kDepth; ++i) {
      // Past the end the last unit is read again: no load hangs on a condition, so all are in flight.
      value[i] = load_once<kUnit>(src + static_cast<int64_t>(min(first + 32 * i, units - 1)) * kUnit);
    }
#pragma unroll
    for (int i = 0; i < kDepth; ++i) {
      if (first + 32 * i < units) store_once<kUnit>(dst + static_cast<int64_t>(first + 32 * i) * kUnit, value[i]);
    }
  }
}

// Calls f(integral_constant<int, U>) for the unit U = 16, 8, 4, 2 or 1 that is `bytes`.
template <class F>
void visit_unit(int64_t bytes, F&& f) {
  switch (bytes) {
    case 16: return f(std::integral_constant<int, 16>{});
    case 8: return f(std::integral_constant<int, 8>{});
    case 4: return f(std::integral_constant<int, 4>{});
    case 2: return f(std::integral_constant<int, 2>{});
    default: return f(std::integral_constant<int, 1>{});
  }
}

}  // namespace vkv::cuda
