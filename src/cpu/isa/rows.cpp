// The row kernels, for one vector unit.
#include "cpu/rows.hpp"

#include "cpu/isa/number.hpp"

namespace vkv::cpu::VKV_ISA {

namespace {

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

template <class From>
float amax(const void* src, int64_t n) {
  const auto* in = static_cast<const typename From::Storage*>(src);
  uint32_t largest = 0;  // magnitudes compare like their bits
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t magnitude = as_bits(From::decode(in[i])) & 0x7FFFFFFFu;
    const uint32_t number = magnitude > 0x7F800000u ? 0 : magnitude;
    largest = number > largest ? number : largest;
  }
  return as_float(largest);
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

// x * c + y * s. float32 products of f16 and bf16 are exact, and their float32 sums round again without harm (24 bits are
// at least 2 * 11 + 2), so encode() makes each step's one rounding.
template <class T>
typename T::Storage dot2(float x, float c, float y, float s) {
  return T::encode(T::decode(T::encode(x * c)) + T::decode(T::encode(y * s)));
}

template <class T, bool kNeox>
void rotate(void* row, const void* cos_sin, int64_t n) {
  const int64_t half = n / 2, pair = kNeox ? 1 : 2;
  auto* __restrict x = static_cast<typename T::Storage*>(row);
  auto* __restrict y = x + (kNeox ? half : 1);
  const auto* __restrict cosines = static_cast<const typename T::Storage*>(cos_sin);
  const auto* __restrict sines = cosines + half;
  for (int64_t i = 0; i < half; ++i) {
    const float a = T::decode(x[pair * i]), b = T::decode(y[pair * i]), c = T::decode(cosines[i]), s = T::decode(sines[i]);
    x[pair * i] = dot2<T>(a, c, -b, s);
    y[pair * i] = dot2<T>(b, c, a, s);
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
    {{rotate<F16, true>, rotate<F16, false>}, {rotate<BF16, true>, rotate<BF16, false>}, {rotate<F32, true>, rotate<F32, false>}},
};

}  // namespace vkv::cpu::VKV_ISA
