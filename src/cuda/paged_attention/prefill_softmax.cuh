// The softmax of prefill, in registers: a thread holds two rows (g and g + 8 of its warp's 16, g = lane / 4) of the
// fragments that mma.sync and wgmma share: columns 8i + 2t and 8i + 2t + 1, t = lane % 4. Exponentials are of base 2.
#pragma once

#include "cuda/paged_attention/prefill_tiles.cuh"
#include "cuda/primitives/number.cuh"

namespace vkv::cuda {

#ifdef __CUDACC__

constexpr float kLog2e = 1.4426950408889634f, kLn2 = 0.6931471805599453f;
constexpr int kScoreBlocks = kPrefillTokens / 8;

using PrefillScores = float[kScoreBlocks][4];
using PrefillWeights = uint32_t[kPrefillTokens / 16][4];  // fragments of the second product

__device__ inline float over_quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, 2));
}
__device__ inline float over_quad_sum(float x) {
  x += __shfl_xor_sync(0xFFFFFFFFu, x, 1);
  return x + __shfl_xor_sync(0xFFFFFFFFu, x, 2);
}
__device__ inline uint64_t over_quad_or(uint64_t x) {
  x |= __shfl_xor_sync(0xFFFFFFFFu, x, 1);
  return x | __shfl_xor_sync(0xFFFFFFFFu, x, 2);
}

// From dot products to logits. What is left to multiply with is factor().
class PrefillLogits {
 public:
  __device__ PrefillLogits(const AttentionParams& p, const int32_t (&heads)[2]) {
    // A negative scale has negated the query.
    scale_ = fabsf(p.softmax_scale) * kLog2e;
    alibi_ = p.alibi_slopes != nullptr;
    capped_ = p.softcap != 0;
    cap_ = p.softcap * kLog2e;
    to_cap_ = capped_ ? 2 * kLog2e * fabsf(p.softmax_scale) / p.softcap : 0;
#pragma unroll
    for (int r = 0; r < 2; ++r) slope_[r] = alibi_ ? __ldg(p.alibi_slopes + heads[r] * p.alibi_stride) * kLog2e : 0;
  }

  __device__ float factor() const { return capped_ || alibi_ ? 1.0f : scale_; }

  // `distance`: of column 2t from the rows' positions.
  __device__ void transform(PrefillScores& s, const int32_t (&distance)[2]) const {
    if (capped_) {
      // tanh x = 1 - 2 / (1 + exp 2x)
      each(s, [&](float x, int, int) {
        return cap_ * (1.0f - __fdividef(2.0f, 1.0f + exp2_approx(x * to_cap_)));
      });
    } else if (alibi_) {
      each(s, [&](float x, int, int) { return x * scale_; });
    }
    if (alibi_) {
      each(s, [&](float x, int r, int column) {
        return __fmaf_rn(slope_[r], static_cast<float>(distance[r] + column), x);
      });
    }
  }

  // Calls change(score, row, column - 2t) for each.
  template <class Change>
  static __device__ void each(PrefillScores& s, Change&& change) {
#pragma unroll
    for (int i = 0; i < kScoreBlocks; ++i) {
#pragma unroll
      for (int e = 0; e < 4; ++e) s[i][e] = change(s[i][e], e / 2, 8 * i + e % 2);
    }
  }

 private:
  float scale_, cap_, to_cap_, slope_[2];
  bool capped_, alibi_;
};

// What is kept of the tokens so far. `sum` is this thread's share of it.
struct PrefillState {
  float max[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};

  // Turns logits into weights, and says by how much older sums shrink.
  __device__ void add(PrefillScores& s, float factor, float (&decay)[2]) {
    float top[2] = {max[0], max[1]}, origin[2];
#pragma unroll
    for (int i = 0; i < kScoreBlocks; ++i) {
#pragma unroll
      for (int e = 0; e < 4; ++e) top[e / 2] = fmaxf(top[e / 2], s[i][e]);
    }
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      top[r] = over_quad_max(top[r]);
      origin[r] = top[r] == -INFINITY ? 0.0f : -(top[r] * factor);
      decay[r] = exp2_approx(__fmaf_rn(max[r], factor, origin[r]));
      max[r] = top[r];
      sum[r] *= decay[r];
    }
    PrefillLogits::each(s, [&](float x, int r, int) { return exp2_approx(__fmaf_rn(x, factor, origin[r])); });
#pragma unroll
    for (int i = 0; i < kScoreBlocks; ++i) {
      sum[0] += s[i][0] + s[i][1];
      sum[1] += s[i][2] + s[i][3];
    }
  }
};

template <class Mma>
__device__ void pack_weights(const PrefillScores& s, PrefillWeights& weights) {
#pragma unroll
  for (int k = 0; k < kPrefillTokens / 16; ++k) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const float(&block)[4] = s[2 * k + j / 2];
      weights[k][j] = Mma::pack(block[j % 2 * 2], block[j % 2 * 2 + 1]);
    }
  }
}

// Bits of the tokens of a tile, `first` being its first one, that a row at `position` attends to.
__device__ inline uint64_t attended_tokens(const AttentionParams& p, int32_t position, int32_t first,
                                           const PrefillPlaces& places) {
  const int32_t low = min(max(p.oldest(max(position, 0)) - first, 0), kPrefillTokens);
  const int32_t high = min(max(position + 1 - first, 0), kPrefillTokens);
  if (low >= high) return 0;
  const uint64_t below = high == kPrefillTokens ? ~uint64_t{0} : (uint64_t{1} << high) - 1;
  const uint64_t present = static_cast<uint64_t>(places.present[1]) << 32 | places.present[0];
  return present & below & ~uint64_t{0} << low;
}

// ---- values that are not finite
//
// A weight of 0 does not hide them from the product. Where some rows attend to a token and others do not, they are
// added to those that do and become 0 in the tile before the product.

struct PrefillF16 : MmaF16 {
  static constexpr vkv_dtype dtype = VKV_DTYPE_F16;
  static constexpr uint32_t exponents = 0x7C007C00u;
  static __device__ float widen(uint32_t bits) { return __half2float(__ushort_as_half(static_cast<uint16_t>(bits))); }
};
struct PrefillBF16 : MmaBF16 {
  static constexpr vkv_dtype dtype = VKV_DTYPE_BF16;
  static constexpr uint32_t exponents = 0x7F807F80u;
  static __device__ float widen(uint32_t bits) { return __uint_as_float(bits << 16); }
};

template <class Type, int kDims>
__device__ bool any_not_finite(const char* tile) {
  uint32_t found = 0;
#pragma unroll
  for (int i = 0; i < kPrefillTokens * kDims / 8; i += kPrefillThreads) {
    const uint4 v = reinterpret_cast<const uint4*>(tile)[i + threadIdx.x];
    found |= not_finite<Type::exponents>(v.x) | not_finite<Type::exponents>(v.y) | not_finite<Type::exponents>(v.z) | not_finite<Type::exponents>(v.w);
  }
  return found != 0;
}

template <class Type, int kDims>
__device__ void clear_not_finite(char* tile) {
#pragma unroll 1
  for (int i = threadIdx.x; i < kPrefillTokens * kDims / 2; i += kPrefillThreads) {
    uint32_t& pair = reinterpret_cast<uint32_t*>(tile)[i];
    const uint32_t bad = not_finite<Type::exponents>(pair);
    if (bad != 0) pair &= ((bad & 0x8000u) != 0 ? 0u : 0xFFFFu) | ((bad >> 31) != 0 ? 0u : 0xFFFF0000u);
  }
}

// Adds them to the sums of the rows that attend to them; the size of a weight that is not 0 makes no difference.
template <class Type, int kDims>
__device__ void add_not_finite(float (&sums)[kDims / 8][4], const PrefillWeights& weights,
                               const uint64_t (&attended)[2], const char* tile) {
  const int t = threadIdx.x % 4;
  uint64_t weighty[2] = {};
#pragma unroll
  for (int k = 0; k < kPrefillTokens / 16; ++k) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const uint32_t w = weights[k][j];
      const uint64_t bits = ((w & 0x7FFFu) != 0 ? 1 : 0) | ((w & 0x7FFF0000u) != 0 ? 2 : 0);
      weighty[j % 2] |= bits << (16 * k + j / 2 * 8 + 2 * t);
    }
  }
  weighty[0] = over_quad_or(weighty[0]);
  weighty[1] = over_quad_or(weighty[1]);
#pragma unroll
  for (int i = 0; i < kDims / 8; ++i) {
#pragma unroll 1
    for (int token = 0; token < kPrefillTokens; ++token) {
      const uint32_t pair =
          *reinterpret_cast<const uint32_t*>(tile + piece_offset<kPrefillTokens>(token, i) + 4 * t);
      const uint32_t bad = not_finite<Type::exponents>(pair);
      if (bad == 0) continue;
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        if ((bad >> (e % 2 * 16 + 15) & 1) == 0 || (attended[e / 2] >> token & 1) == 0) continue;
        const float weight = (weighty[e / 2] >> token & 1) != 0 ? 1.0f : 0.0f;
        sums[i][e] += weight * Type::widen(pair >> (e % 2 * 16) & 0xFFFFu);
      }
    }
  }
}

#endif

}  // namespace vkv::cuda
