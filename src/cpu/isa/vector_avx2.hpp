// Eight lanes of AVX2 with FMA and F16C.
#pragma once

#include <immintrin.h>

#include "cpu/isa/number.hpp"

namespace vkv::cpu::VKV_ISA {

constexpr int kLanes = 8;
using Vec = __m256;
using Mask = __m256;  // all ones or all zeros in each lane

inline Vec broadcast(float x) { return _mm256_set1_ps(x); }
inline Vec load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
inline float first(Vec v) { return _mm256_cvtss_f32(v); }
inline Vec madd(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }

inline Mask mask_of(uint32_t bits) {
  const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i set = _mm256_and_si256(_mm256_set1_epi32(static_cast<int32_t>(bits)), lane);
  return _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, lane));
}
inline Mask less(Vec a, Vec b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
inline Vec select(Mask m, Vec yes, Vec no) { return _mm256_blendv_ps(no, yes, m); }
// a > b ? a : b in each lane, so b where either is NaN.
inline Vec larger(Vec a, Vec b) { return _mm256_max_ps(a, b); }

inline float sum(Vec v) {
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}
inline float largest(Vec v) {
  __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  half = _mm_max_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}

// Lane i of the result is the sum of v[i].
inline Vec sums(const Vec (&v)[kLanes]) {
  Vec w[4];  // 128-bit lanes: v[i], v[i + 4]
  for (int i = 0; i < 4; ++i) {
    w[i] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x20) + _mm256_permute2f128_ps(v[i], v[i + 4], 0x31);
  }
  const Vec a = _mm256_unpacklo_ps(w[0], w[1]) + _mm256_unpackhi_ps(w[0], w[1]);
  const Vec b = _mm256_unpacklo_ps(w[2], w[3]) + _mm256_unpackhi_ps(w[2], w[3]);
  return _mm256_shuffle_ps(a, b, 0x44) + _mm256_shuffle_ps(a, b, 0xEE);
}

inline Vec round_to_integer(Vec x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
// 2^n for integers n in [-126, 127].
inline Vec power_of_two(Vec n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
inline Vec first_integers() { return _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7); }

}  // namespace vkv::cpu::VKV_ISA

#include "cpu/isa/load_x86.hpp"
