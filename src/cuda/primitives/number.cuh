// Conversions between number formats on the device, bit for bit those of the CPU backend.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstdint>

#include "core/dtype.hpp"

namespace vkv::cuda {

// Input formats: storage, widening (exact) and narrowing (nearest even) to and from float32.
struct F16 {
  using Storage = __half;
  static constexpr vkv_dtype dtype = VKV_DTYPE_F16;
  static __device__ float decode(__half x) { return __half2float(x); }
  static __device__ __half encode(float x) { return __float2half_rn(x); }
};

struct BF16 {
  using Storage = __nv_bfloat16;
  static constexpr vkv_dtype dtype = VKV_DTYPE_BF16;
  static __device__ float decode(__nv_bfloat16 x) { return __bfloat162float(x); }
  static __device__ __nv_bfloat16 encode(float x) { return __float2bfloat16_rn(x); }
};

struct F32 {
  using Storage = float;
  static constexpr vkv_dtype dtype = VKV_DTYPE_F32;
  static __device__ float decode(float x) { return x; }
  static __device__ float encode(float x) { return x; }
};

// fp8 formats, two elements at a time: low byte first.
template <vkv_dtype kDtype, __nv_fp8_interpretation_t kKind>
struct Fp8 {
  static constexpr vkv_dtype dtype = kDtype;
  static __device__ uint16_t encode2(float low, float high) {
    return __nv_cvt_float2_to_fp8x2(make_float2(low, high), __NV_SATFINITE, kKind);
  }
  static __device__ float2 decode2(uint16_t pair) {
    return __half22float2(static_cast<__half2>(__nv_cvt_fp8x2_to_halfraw2(pair, kKind)));
  }
  static __device__ uint8_t encode(float x) { return __nv_cvt_float_to_fp8(x, __NV_SATFINITE, kKind); }
  static __device__ float decode(uint8_t x) { return decode2(x).x; }
};

using E4M3 = Fp8<VKV_DTYPE_FP8_E4M3, __NV_E4M3>;
using E5M2 = Fp8<VKV_DTYPE_FP8_E5M2, __NV_E5M2>;

// The sign bits of those of four bytes of numbers that are not finite: all of their bits of `exponents` are set. Numbers are
// bytes where all bytes of `exponents` are the same, else halves.
template <uint32_t kExponents>
__device__ uint32_t not_finite(uint32_t numbers) {
  constexpr bool kBytes = (kExponents & 0xFF) == (kExponents >> 8 & 0xFF);
  constexpr uint32_t kLowest = (kExponents & 0xFFFF) & (0u - (kExponents & 0xFFFF));
  constexpr uint32_t kUnits = kBytes ? kLowest * 0x01010101u : kLowest * 0x00010001u;
  return (numbers & kExponents) + kUnits & (kBytes ? 0x80808080u : 0x80008000u);
}

// x / scale as IEEE float32 division gives it after rounding to fp8, at a third of the cost: one Newton correction makes
// the quotient by the rounded reciprocal correctly rounded (Markstein, 1990) wherever no intermediate leaves the normal
// range.
class Divider {
 public:
  explicit __device__ Divider(float scale) {
    scale_ = scale;
    reciprocal_ = __frcp_rn(scale);
    ordinary_ = fabsf(scale) > 0x1p-60f && fabsf(scale) < 0x1p60f;
  }

  // Whether divide() may be used; scales are that but for nonsense, which divide_any() serves.
  __device__ bool ordinary() const { return ordinary_; }

  __device__ float divide(float x) const {
    const float q = x * reciprocal_;
    const float corrected = __fmaf_rn(__fmaf_rn(-q, scale_, x), reciprocal_, q);
    // Outside this range the result is zero, saturated, or NaN whatever the last bit; q keeps the sign of zero.
    return fabsf(q) > 0x1p-30f && fabsf(q) < 0x1p30f ? corrected : q;
  }

  __device__ float divide_any(float x) const {
    const float q = __fdiv_rn(x, scale_);
    return q != q ? __int_as_float(0x7FFFFFFF) : q;  // the division may give a negative NaN
  }

 private:
  float scale_, reciprocal_;
  bool ordinary_;
};

// y = To(x / scale) for kElements packed elements.
template <class From, class To, int kElements>
__device__ void quantize(const typename From::Storage* x, uint8_t* y, float scale) {
  const Divider by(scale);
  if constexpr (kElements == 1) {
    const float value = From::decode(x[0]);
    y[0] = To::encode(by.ordinary() ? by.divide(value) : by.divide_any(value));
  } else if (by.ordinary()) {
#pragma unroll
    for (int i = 0; i < kElements; i += 2) {
      *reinterpret_cast<uint16_t*>(y + i) = To::encode2(by.divide(From::decode(x[i])), by.divide(From::decode(x[i + 1])));
    }
  } else {
#pragma unroll
    for (int i = 0; i < kElements; i += 2) {
      *reinterpret_cast<uint16_t*>(y + i) = To::encode2(by.divide_any(From::decode(x[i])), by.divide_any(From::decode(x[i + 1])));
    }
  }
}

}  // namespace vkv::cuda
