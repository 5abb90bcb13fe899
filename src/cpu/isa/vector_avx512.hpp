// Sixteen lanes of AVX-512 F, BW, VL and DQ.
#pragma once

// GCC's own header leaves the unused operand of masked instructions uninitialised, and GCC 12 warns of that.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include "cpu/isa/number.hpp"

namespace vkv::cpu::VKV_ISA {

constexpr int kLanes = 16;
using Vec = __m512;
using Mask = __mmask16;

inline Vec broadcast(float x) { return _mm512_set1_ps(x); }
inline Vec load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
inline float first(Vec v) { return _mm512_cvtss_f32(v); }
inline Vec madd(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }

inline Mask mask_of(uint32_t bits) { return static_cast<Mask>(bits); }
inline Mask less(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
inline Vec select(Mask m, Vec yes, Vec no) { return _mm512_mask_blend_ps(m, no, yes); }
// a > b ? a : b in each lane, so b where either is NaN.
inline Vec larger(Vec a, Vec b) { return _mm512_max_ps(a, b); }

inline float sum(Vec v) { return _mm512_reduce_add_ps(v); }
inline float largest(Vec v) { return _mm512_reduce_max_ps(v); }

// Lane i of the result is the sum of v[i].
inline Vec sums(const Vec (&v)[kLanes]) {
  Vec w[8], u[4];
  for (int i = 0; i < 8; ++i) {  // 128-bit lanes of w[i]: two of v[j], two of v[j + 4]
    const int j = i % 4 + i / 4 * 8;
    w[i] = _mm512_shuffle_f32x4(v[j], v[j + 4], 0x44) + _mm512_shuffle_f32x4(v[j], v[j + 4], 0xEE);
  }
  for (int i = 0; i < 4; ++i) {  // of u[i]: v[i], v[i + 4], v[i + 8], v[i + 12]
    u[i] = _mm512_shuffle_f32x4(w[i], w[i + 4], 0x88) + _mm512_shuffle_f32x4(w[i], w[i + 4], 0xDD);
  }
  const Vec a = _mm512_unpacklo_ps(u[0], u[1]) + _mm512_unpackhi_ps(u[0], u[1]);
  const Vec b = _mm512_unpacklo_ps(u[2], u[3]) + _mm512_unpackhi_ps(u[2], u[3]);
  return _mm512_shuffle_ps(a, b, 0x44) + _mm512_shuffle_ps(a, b, 0xEE);
}

inline Vec round_to_integer(Vec x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
// 2^n for integers n in [-126, 127].
inline Vec power_of_two(Vec n) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
}
inline Vec first_integers() { return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }

}  // namespace vkv::cpu::VKV_ISA

#include "cpu/isa/load_x86.hpp"
