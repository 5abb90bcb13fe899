// Values that are not finite, in a tile in which rows see different tokens. A weight of 0 does not hide them from a matrix
// product, so they are added to the sums of the rows that do see them, and become 0 in the tile before the product.
#pragma once

#include "cuda/paged_attention/kinds.cuh"
#include "cuda/paged_attention/row_sight.cuh"
#include "cuda/primitives/number.cuh"

namespace vkv::cuda {

#ifdef __CUDACC__

// What joins each of a thread's sums, two bits: 1 infinity, 2 -infinity, 3 NaN.
template <int kSums>
struct NotFinite {
  uint32_t words[(kSums + 15) / 16];

  __device__ bool any() const {
    uint32_t all = 0;
#pragma unroll
    for (const uint32_t word : words) all |= word;
    return all != 0;
  }
  __device__ float joined(float sum, int i) const {
    const uint32_t code = words[i / 16] >> (i % 16 * 2) & 3;
    return code == 0 ? sum : sum + __uint_as_float(code == 1 ? 0x7F800000u : code == 2 ? 0xFF800000u : 0x7FFFFFFFu);
  }
};

// Called by whole warps, and out of line: it is for few tiles of few calls. `numbers`: V of the tile, or its scales.
// `weightless`: bit (u * kRowTiles + n) * 4 + i where this thread's weight [u][n][i] is 0.
template <class Kind, int kDim, int kRowTiles, bool kXPacked>
__device__ __noinline__ NotFinite<kDim / 16 * kRowTiles * 4> set_apart(const AttentionParams& p, uint32_t numbers,
                                                                      int32_t position, int32_t first_position,
                                                                      int32_t first_row, int32_t kv_head, uint32_t weightless) {
  using Number = typename Kind::Special;
  constexpr int kBytes = Kind::template special_bytes<kDim>, kSize = sizeof(Number);
  const int lane = static_cast<int>(threadIdx.x % 32), g = lane / 4, t = lane % 4;
  NotFinite<kDim / 16 * kRowTiles * 4> sums = {};

  uint32_t found = 0;
  for (int i = lane * 4; i < kBytes; i += 128) found |= not_finite<Kind::exponents>(load_shared<uint32_t>(numbers + i));
  if (!__any_sync(0xFFFFFFFFu, found != 0)) return sums;

#pragma unroll 1
  for (int i = 0; i < Kind::tile_tokens; ++i) {
    const int token = i / 16 * 16 + Kind::template token<kXPacked>(i % 16);
    const uint32_t zeros = __shfl_sync(0xFFFFFFFFu, weightless, i % 8 * 4 + t) >> (i / 16 * kRowTiles * 4 + (i / 8 & 1) * 2);
#pragma unroll 1
    for (int column = 0; column < 2 * kRowTiles; ++column) {
      const int n = column / 2, c = column % 2;
      if (!RowSight(p, first_position, first_row + 8 * n + 2 * t + c, kv_head).sees(p, position + token)) continue;
      const uint32_t times_zero = (zeros >> (4 * n + c) & 1) != 0 ? 3 : 0;
#pragma unroll 1
      for (int d = 0; d < kDim / 8; ++d) {
        const int m = d / 2, half = d % 2, sum = (m * kRowTiles + n) * 4 + 2 * half + c;
        const int at = Kind::template special_at<kDim, kXPacked>(token, Kind::template dim<kXPacked>(m, half, g));
        const uint32_t bits = load_shared<Number>(numbers + at);
        if (not_finite<Kind::exponents>(bits) == 0) continue;
        const uint32_t code = Kind::is_infinity(bits) ? 1 + (bits >> (8 * kSize - 1)) : 3;
        sums.words[sum / 16] |= (code | times_zero) << (sum % 16 * 2);
      }
    }
  }
  __syncwarp();
  for (int i = lane * kSize; i < kBytes; i += 32 * kSize) {
    if (not_finite<Kind::exponents>(load_shared<Number>(numbers + i)) != 0) store_shared<Number>(numbers + i, 0);
  }
  __syncwarp();
  return sums;
}

#endif

}  // namespace vkv::cuda
