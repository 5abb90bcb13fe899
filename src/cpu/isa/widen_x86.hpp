// Stored numbers to float32 on x86 with F16C: rows, and 16-token tiles of caches that lie by dims. fp8 goes through
// f16, whose conversion takes subnormal numbers in its stride.
#pragma once

namespace vkv::cpu::VKV_ISA {

// f16 bits of 16 fp8 numbers, of e4m3 2^-8 times the number.
template <class T>
__m256i f16_words(const uint8_t* src) {
  const __m256i code = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(src)));
  const __m256i high = _mm256_slli_epi16(code, 8);
  if (T::dtype == VKV_DTYPE_FP8_E5M2) return high;
  const __m256i moved = _mm256_and_si256(_mm256_srai_epi16(high, 1), _mm256_set1_epi16(static_cast<int16_t>(0xBF80)));
  const __m256i last = _mm256_set1_epi16(0x7F), magnitude = _mm256_and_si256(code, last);
  const __m256i nan = _mm256_and_si256(_mm256_cmpeq_epi16(magnitude, last), _mm256_set1_epi16(0x7E00));
  return _mm256_or_si256(moved, nan);
}

// 16 numbers as they are, 16 bits each.
template <class T>
__m256i words(const typename T::Storage* src) {
  if constexpr (sizeof(*src) == 1) return f16_words<T>(src);
  else return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(src));
}

// Float32 of 8 such words.
template <class T>
__m256 widen8(__m128i w) {
  if (T::dtype == VKV_DTYPE_BF16) return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(w), 16));
  const __m256 v = _mm256_cvtph_ps(w);
  return T::dtype == VKV_DTYPE_FP8_E4M3 ? _mm256_mul_ps(v, _mm256_set1_ps(256.0f)) : v;
}

// ... and of 16, stored.
template <class T>
void widen16(__m256i w, float* dst) {
#if defined(VKV_ISA_avx512)
  __m512 v;
  if (T::dtype == VKV_DTYPE_BF16) {
    v = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(w), 16));
  } else {
    v = _mm512_cvtph_ps(w);
    if (T::dtype == VKV_DTYPE_FP8_E4M3) v = _mm512_mul_ps(v, _mm512_set1_ps(256.0f));
  }
  _mm512_storeu_ps(dst, v);
#else
  _mm256_storeu_ps(dst, widen8<T>(_mm256_castsi256_si128(w)));
  _mm256_storeu_ps(dst + 8, widen8<T>(_mm256_extracti128_si256(w, 1)));
#endif
}

template <class T>
void widen(const typename T::Storage* src, float* dst, int64_t n) {
  int64_t i = 0;
  if constexpr (sizeof(*src) < 4) {
    for (; i + 16 <= n; i += 16) widen16<T>(words<T>(src + i), dst + i);
  }
  if constexpr (sizeof(*src) == 2) {
    for (; i + 8 <= n; i += 8) {
      _mm256_storeu_ps(dst + i, widen8<T>(_mm_loadu_si128(reinterpret_cast<const __m128i*>(src + i))));
    }
  }
  for (; i < n; ++i) dst[i] = T::decode(src[i]);
}

// tile[t * ld + d] = the number at src[d * pitch + t], for 16 tokens.
template <class T>
void widen_transposed(const typename T::Storage* src, int64_t pitch, int64_t dims, float* tile, int64_t ld) {
  int64_t d = 0;
  if constexpr (sizeof(*src) < 4) {
    for (; d + 8 <= dims; d += 8) {
      // 128-bit lanes: tokens 0..7 and 8..15 of a dim; in three steps dims 0..7 of tokens t and t + 8.
      __m256i r[8], a[8], b[8];
      for (int i = 0; i < 8; ++i) r[i] = words<T>(src + (d + i) * pitch);
      for (int i = 0; i < 8; i += 2) {
        a[i] = _mm256_unpacklo_epi16(r[i], r[i + 1]);
        a[i + 1] = _mm256_unpackhi_epi16(r[i], r[i + 1]);
      }
      for (int i = 0; i < 8; i += 4) {
        for (int j = 0; j < 2; ++j) {
          b[i + 2 * j] = _mm256_unpacklo_epi32(a[i + j], a[i + j + 2]);
          b[i + 2 * j + 1] = _mm256_unpackhi_epi32(a[i + j], a[i + j + 2]);
        }
      }
      for (int i = 0; i < 4; ++i) {
        const __m256i even = _mm256_unpacklo_epi64(b[i], b[i + 4]), odd = _mm256_unpackhi_epi64(b[i], b[i + 4]);
        const auto put = [&](int token, __m128i w) { _mm256_storeu_ps(tile + token * ld + d, widen8<T>(w)); };
        put(2 * i, _mm256_castsi256_si128(even));
        put(2 * i + 8, _mm256_extracti128_si256(even, 1));
        put(2 * i + 1, _mm256_castsi256_si128(odd));
        put(2 * i + 9, _mm256_extracti128_si256(odd, 1));
      }
    }
  }
  for (; d < dims; ++d) {
    for (int64_t t = 0; t < 16; ++t) tile[t * ld + d] = T::decode(src[d * pitch + t]);
  }
}

}  // namespace vkv::cpu::VKV_ISA
