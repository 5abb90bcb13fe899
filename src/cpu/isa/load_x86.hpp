// Stored numbers to float32 lanes on x86 with F16C. fp8 goes through f16, whose conversion takes subnormal numbers in its
// stride; an e4m3 number becomes the f16 of 2^-8 times it by a mere shift.
#pragma once

namespace vkv::cpu::VKV_ISA {

inline __m128i load128(const char* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
inline __m256i load256(const char* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }

// f16 bits of 16 fp8 numbers.
template <class T>
__m256i f16_words(__m128i codes) {
  const __m256i code = _mm256_cvtepu8_epi16(codes), high = _mm256_slli_epi16(code, 8);
  if (T::dtype == VKV_DTYPE_FP8_E5M2) return high;
  const __m256i moved = _mm256_and_si256(_mm256_srai_epi16(high, 1), _mm256_set1_epi16(static_cast<int16_t>(0xBF80)));
  const __m256i last = _mm256_set1_epi16(0x7F), magnitude = _mm256_and_si256(code, last);
  return _mm256_or_si256(moved, _mm256_and_si256(_mm256_cmpeq_epi16(magnitude, last), _mm256_set1_epi16(0x7E00)));
}

// Float32 of 16-bit numbers, or of the f16 words of fp8 ones.
template <class T>
__m256 widen8(__m128i words) {
  if (T::dtype == VKV_DTYPE_BF16) return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(words), 16));
  return _mm256_cvtph_ps(words);
}

#if defined(VKV_ISA_avx512)
template <class T>
__m512 widen16(__m256i words) {
  if (T::dtype == VKV_DTYPE_BF16) return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(words), 16));
  return _mm512_cvtph_ps(words);
}
#endif

template <class T>
struct Load {
  static constexpr bool kFp8 = sizeof(typename T::Storage) == 1;
  static constexpr float kGain = T::dtype == VKV_DTYPE_FP8_E4M3 ? 256.0f : 1.0f;

  // 8 numbers as words.
  static __m128i words8(const char* p) {
    if constexpr (!kFp8) return load128(p);
    else return _mm256_castsi256_si128(f16_words<T>(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  // 16 of them.
  static __m256i words16(const char* p) {
    if constexpr (!kFp8) return load256(p);
    else return f16_words<T>(load128(p));
  }

#if defined(VKV_ISA_avx512)
  static Vec vector(const char* p) { return widen16<T>(words16(p)); }
  // The first half of a vector, then zeros.
  static Vec half(const char* p) { return _mm512_zextps256_ps512(widen8<T>(words8(p))); }
  // A vector from two runs of 16 bytes.
  static Vec two(const char* p, const char* q) {
    return widen16<T>(_mm256_inserti128_si256(_mm256_castsi128_si256(load128(p)), load128(q), 1));
  }
#else
  static Vec vector(const char* p) { return widen8<T>(words8(p)); }
#endif
};

template <>
struct Load<F32> {
  static constexpr float kGain = 1.0f;
  static Vec vector(const char* p) { return load(reinterpret_cast<const float*>(p)); }
#if defined(VKV_ISA_avx512)
  static Vec half(const char* p) {
    return _mm512_zextps256_ps512(_mm256_loadu_ps(reinterpret_cast<const float*>(p)));
  }
#endif
};

// out[t * 16 + i] = number t of the run at p + i * pitch, for i < dims <= 16, t < 16; `dims` is a multiple of 8.
template <class T>
void transpose(const char* p, int64_t pitch, int64_t dims, float* out) {
  for (int64_t i = 0; i < dims; i += 8, p += 8 * pitch, out += 8) {
    // 128-bit lanes: tokens 0..7 and 8..15 of a dim; in three steps dims 0..7 of tokens t and t + 8.
    __m256i r[8], a[8], b[8];
    for (int k = 0; k < 8; ++k) r[k] = Load<T>::words16(p + k * pitch);
    for (int k = 0; k < 8; k += 2) {
      a[k] = _mm256_unpacklo_epi16(r[k], r[k + 1]);
      a[k + 1] = _mm256_unpackhi_epi16(r[k], r[k + 1]);
    }
    for (int k = 0; k < 8; k += 4) {
      for (int j = 0; j < 2; ++j) {
        b[k + 2 * j] = _mm256_unpacklo_epi32(a[k + j], a[k + j + 2]);
        b[k + 2 * j + 1] = _mm256_unpackhi_epi32(a[k + j], a[k + j + 2]);
      }
    }
    for (int k = 0; k < 4; ++k) {
      const __m256i even = _mm256_unpacklo_epi64(b[k], b[k + 4]), odd = _mm256_unpackhi_epi64(b[k], b[k + 4]);
      const auto put = [out](int token, __m128i words) { _mm256_storeu_ps(out + token * 16, widen8<T>(words)); };
      put(2 * k, _mm256_castsi256_si128(even));
      put(2 * k + 8, _mm256_extracti128_si256(even, 1));
      put(2 * k + 1, _mm256_castsi256_si128(odd));
      put(2 * k + 9, _mm256_extracti128_si256(odd, 1));
    }
  }
}

}  // namespace vkv::cpu::VKV_ISA
