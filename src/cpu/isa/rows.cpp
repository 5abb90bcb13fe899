// The row kernels, for one vector unit.
#include "cpu/rows.hpp"

#include "cpu/isa/number.hpp"

namespace vkv::cpu::VKV_ISA {

namespace {

// Bits of |x|, which compare like the numbers; 0 for NaN.
inline int32_t magnitude_or_zero(float x) {
  const auto magnitude = static_cast<int32_t>(as_bits(x) & 0x7FFFFFFFu);
  return magnitude > 0x7F800000 ? 0 : magnitude;
}

inline int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

template <class From, class To>
void quantize(const void* src, void* dst, int64_t n, float scale) {
  const auto* in = static_cast<const typename From::Storage*>(src);
  auto* out = static_cast<typename To::Storage*>(dst);
  // Compilers narrow a chunk of 32-bit lanes at a time better than lanes one by one.
  constexpr int64_t kChunk = 64;
  int64_t i = 0;
  for (; i + kChunk <= n; i += kChunk) {
    uint32_t codes[kChunk];
    for (int64_t k = 0; k < kChunk; ++k) codes[k] = To::code(From::decode(in[i + k]) / scale);
    for (int64_t k = 0; k < kChunk; ++k) out[i + k] = static_cast<uint8_t>(codes[k]);
  }
  for (; i < n; ++i) out[i] = To::encode(From::decode(in[i]) / scale);
}

template <class From, class To>
void dequantize(const void* src, void* dst, int64_t n, float scale) {
  const auto* in = static_cast<const typename From::Storage*>(src);
  auto* out = static_cast<typename To::Storage*>(dst);
  for (int64_t i = 0; i < n; ++i) out[i] = To::encode(From::decode(in[i]) * scale);
}

// Up to kMostGroups groups of 16 elements as NVFP4, in the steps that the header lays down, each step a loop over all
// of them. The counts stay run-time numbers: loops of a few known turns are unrolled and then not vectorised.
constexpr int64_t kMostGroups = 16;

template <class From>
void quantize_groups(const typename From::Storage* in, uint8_t* data, uint8_t* scales, int64_t groups, float scale) {
  constexpr int64_t kGroup = 16, kMost = kMostGroups * kGroup;
  float x[kMost], factor[kMostGroups];
  int32_t sixteen[kMost], eight[kMost / 2], four[kMost / 4];  // candidates for the largest magnitude of a group
  uint32_t code[kMost], sf[kMostGroups];
  for (int64_t i = 0; i < groups * kGroup; ++i) {
    x[i] = From::decode(in[i]);
    sixteen[i] = magnitude_or_zero(x[i]);
  }
  for (int64_t g = 0; g < groups; ++g) {
    for (int64_t i = 0; i < 8; ++i) eight[g * 8 + i] = larger(sixteen[g * 16 + i], sixteen[g * 16 + 8 + i]);
  }
  for (int64_t g = 0; g < groups; ++g) {
    for (int64_t i = 0; i < 4; ++i) four[g * 4 + i] = larger(eight[g * 8 + i], eight[g * 8 + 4 + i]);
  }
  const float inverse = 1.0f / scale, restored = 1.0f / inverse;
  for (int64_t g = 0; g < groups; ++g) {
    const int32_t amax = larger(larger(four[4 * g], four[4 * g + 1]), larger(four[4 * g + 2], four[4 * g + 3]));
    const float wanted = (as_float(static_cast<uint32_t>(amax)) * (1.0f / 6.0f)) * inverse;
    sf[g] = E4M3::code(wanted < 448.0f ? wanted : 448.0f);
    const float rounded = E4M3::value(sf[g]), divisor = 1.0f / (rounded * restored);
    factor[g] = rounded == 0.0f ? 0.0f : divisor;
  }
  for (int64_t g = 0; g < groups; ++g) {
    scales[g] = static_cast<uint8_t>(sf[g]);
    for (int64_t i = g * kGroup; i < (g + 1) * kGroup; ++i) code[i] = E2M1::code(x[i] * factor[g]);
  }
  for (int64_t i = 0; i < groups * kGroup / 2; ++i)
    data[i] = static_cast<uint8_t>(code[2 * i] | (code[2 * i + 1] << 4));
}

template <class From>
void quantize_nvfp4(const void* src, void* data, void* scales, int64_t groups, float scale) {
  const auto* in = static_cast<const typename From::Storage*>(src);
  for (int64_t g = 0; g < groups; g += kMostGroups) {
    const int64_t count = groups - g < kMostGroups ? groups - g : kMostGroups;
    quantize_groups<From>(in + g * 16, static_cast<uint8_t*>(data) + g * 8, static_cast<uint8_t*>(scales) + g, count,
                          scale);
  }
}

template <class From>
float amax(const void* src, int64_t n) {
  const auto* in = static_cast<const typename From::Storage*>(src);
  int32_t largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = larger(largest, magnitude_or_zero(From::decode(in[i])));
  return as_float(static_cast<uint32_t>(largest));
}

template <class From>
void widen(const void* src, float* dst, int64_t n) {
  const auto* in = static_cast<const typename From::Storage*>(src);
  for (int64_t i = 0; i < n; ++i) dst[i] = From::decode(in[i]);
}

template <class To>
void narrow(const float* src, void* dst, int64_t n) {
  auto* out = static_cast<typename To::Storage*>(dst);
  for (int64_t i = 0; i < n; ++i) out[i] = To::encode(src[i]);
}

// A pair (x, y) becomes (x * c - y * s, y * c + x * s). float32 products of f16 and bf16 are exact, and their float32
// sums round again without harm (24 bits are at least 2 * 11 + 2), so each step is rounded once in effect.
template <class From, class To>
void mix(const void* x, const void* y, void* dst, int64_t n, float a, float b, float scale) {
  const auto* from_x = static_cast<const typename From::Storage*>(x);
  const auto* from_y = static_cast<const typename From::Storage*>(y);
  auto* out = static_cast<typename To::Storage*>(dst);
  constexpr int64_t kChunk = 64;  // read whole before it is written: dst may be x or y
  for (int64_t first = 0; first < n; first += kChunk) {
    const int64_t count = n - first < kChunk ? n - first : kChunk;
    float sum[kChunk];
    for (int64_t i = 0; i < count; ++i) {
      sum[i] = a * From::decode(from_x[first + i]) + b * From::decode(from_y[first + i]);
    }
    if constexpr (To::dtype == VKV_DTYPE_FP8_E4M3) {
      uint32_t codes[kChunk];
      for (int64_t i = 0; i < count; ++i) codes[i] = To::code(sum[i] / scale);
      for (int64_t i = 0; i < count; ++i) out[first + i] = static_cast<uint8_t>(codes[i]);
    } else {
      for (int64_t i = 0; i < count; ++i) out[first + i] = To::encode(sum[i]);
    }
  }
}

// A pair (x, y) becomes (x * c - y * s, y * c + x * s). float32 products of f16 and bf16 are exact, and their float32 sums
// round again without harm (24 bits are at least 2 * 11 + 2), so each step is rounded once in effect.
template <class T, bool kNeox>
void rotate(void* row, const void* cos_sin, int64_t n) {
  const int64_t half = n / 2, pair = kNeox ? 1 : 2;
  auto* x = static_cast<typename T::Storage*>(row);
  auto* y = x + (kNeox ? half : 1);
  const auto* cosines = static_cast<const typename T::Storage*>(cos_sin);
  const auto* sines = cosines + half;
  constexpr int64_t kChunk = 64;
  for (int64_t first = 0; first < half; first += kChunk) {
    const int64_t count = half - first < kChunk ? half - first : kChunk;
    float turned_x[kChunk], turned_y[kChunk];
    for (int64_t i = 0; i < count; ++i) {
      const float a = T::decode(x[pair * (first + i)]), b = T::decode(y[pair * (first + i)]);
      const float c = T::decode(cosines[first + i]), s = T::decode(sines[first + i]);
      turned_x[i] = T::rounded(a * c) - T::rounded(b * s);
      turned_y[i] = T::rounded(b * c) + T::rounded(a * s);
    }
    for (int64_t i = 0; i < count; ++i) x[pair * (first + i)] = T::encode(turned_x[i]);
    for (int64_t i = 0; i < count; ++i) y[pair * (first + i)] = T::encode(turned_y[i]);
  }
}

// out = a[0], b[0], a[1], b[1], ...
template <class T>
void zip(const T* a, const T* b, int64_t n, T* out) {
  for (int64_t i = 0; i < n; ++i) {
    out[2 * i] = a[i];
    out[2 * i + 1] = b[i];
  }
}

template <class T>
const T* row_of(const void* rows, int64_t i, int64_t pitch) {
  return reinterpret_cast<const T*>(static_cast<const char*>(rows) + i * pitch);
}

// 16 rows are zipped in four rounds, each row with the one half of them further: row i with i + 8, then i + 4, i + 2, i
// + 1.
template <class T>
void transpose_16(const void* in, int64_t in_pitch, int64_t columns, char* out, int64_t out_pitch) {
  constexpr int64_t kRows = 16, kMost = 64;
  T a[kRows * kMost], b[kRows * kMost];
  for (int64_t begin = 0; begin < columns; begin += kMost) {
    const int64_t n = columns - begin < kMost ? columns - begin : kMost;
    for (int64_t i = 0; i < 8; ++i) {
      zip(row_of<T>(in, i, in_pitch) + begin, row_of<T>(in, i + 8, in_pitch) + begin, n, a + i * 2 * n);
    }
    for (int64_t i = 0; i < 4; ++i) zip(a + i * 2 * n, a + (i + 4) * 2 * n, 2 * n, b + i * 4 * n);
    for (int64_t i = 0; i < 2; ++i) zip(b + i * 4 * n, b + (i + 2) * 4 * n, 4 * n, a + i * 8 * n);
    zip(a, a + 8 * n, 8 * n, b);
    for (int64_t j = 0; j < n; ++j) __builtin_memcpy(out + (begin + j) * out_pitch, b + j * kRows, kRows * sizeof(T));
  }
}

template <class T>
void transpose(const void* in, int64_t in_pitch, int64_t rows, int64_t columns, void* out, int64_t out_pitch) {
  auto* to = static_cast<char*>(out);
  int64_t i = 0;
  for (; i + 16 <= rows; i += 16) {
    transpose_16<T>(row_of<T>(in, i, in_pitch), in_pitch, columns, to + i * static_cast<int64_t>(sizeof(T)), out_pitch);
  }
  for (; i < rows; ++i) {
    const T* from = row_of<T>(in, i, in_pitch);
    for (int64_t j = 0; j < columns; ++j) reinterpret_cast<T*>(to + j * out_pitch)[i] = from[j];
  }
}

}  // namespace

extern const RowKernels kRowKernels;
const RowKernels kRowKernels = {
    {{quantize<F16, E4M3>, quantize<F16, E5M2>},
     {quantize<BF16, E4M3>, quantize<BF16, E5M2>},
     {quantize<F32, E4M3>, quantize<F32, E5M2>}},
    {{dequantize<E4M3, F16>, dequantize<E4M3, BF16>, dequantize<E4M3, F32>},
     {dequantize<E5M2, F16>, dequantize<E5M2, BF16>, dequantize<E5M2, F32>}},
    {amax<F16>, amax<BF16>, amax<F32>},
    {widen<F16>, widen<BF16>, widen<F32>},
    {narrow<F16>, narrow<BF16>, narrow<F32>},
    {{mix<F16, F16>, mix<F16, E4M3>}, {mix<BF16, BF16>, mix<BF16, E4M3>}, {mix<F32, F32>, mix<F32, E4M3>}},
    {quantize_nvfp4<F16>, quantize_nvfp4<BF16>},
    {transpose<uint8_t>, transpose<uint16_t>, transpose<uint32_t>},
    {{rotate<F16, true>, rotate<F16, false>},
     {rotate<BF16, true>, rotate<BF16, false>},
     {rotate<F32, true>, rotate<F32, false>}},
};

}  // namespace vkv::cpu::VKV_ISA
