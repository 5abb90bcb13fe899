// Row kernels: the conversions that the cache ops are made of, for one packed run of n elements. One table per vector unit.
#pragma once

#include <cstdint>

#include "cpu/isa.hpp"
#include "vkv.h"

namespace vkv::cpu {

struct RowKernels {
  // dst[i] = narrow(float32(src[i]) / scale), from f16|bf16|f32 to e4m3|e5m2.
  using Quantize = void (*)(const void* src, void* dst, int64_t n, float scale);
  // dst[i] = round(float32(src[i]) * scale), from e4m3|e5m2 to f16|bf16|f32.
  using Dequantize = void (*)(const void* src, void* dst, int64_t n, float scale);
  // Largest |src[i]|, NaN passed over; 0 for n = 0.
  using Amax = float (*)(const void* src, int64_t n);
  // float32 values of f16|bf16|f32, and back (nearest even).
  using Widen = void (*)(const void* src, float* dst, int64_t n);
  using Narrow = void (*)(const float* src, void* dst, int64_t n);
  // dst[i] = round(a * x[i] + b * y[i]), products and sum in float32, all three of one dtype or dst e4m3, which is then
  // narrowed as by Quantize (else `scale` is not used). dst may be x or y.
  using Mix = void (*)(const void* x, const void* y, void* dst, int64_t n, float a, float b, float scale);
  // Rotates the n / 2 pairs of a row in place, each product and each sum rounded to the row's dtype. cos_sin, of the same
  // dtype, holds n / 2 cosines, then as many sines. The pairs are (i, i + n / 2) for neox, else (2i, 2i + 1).
  using Rotate = void (*)(void* row, const void* cos_sin, int64_t n);
  // Groups of 16 elements of f16|bf16 as NVFP4: 8 data bytes and 1 scale byte each, in order.
  using QuantizeNvfp4 = void (*)(const void* src, void* data, void* scales, int64_t groups, float scale);
  // Element j of row i, rows `in_pitch` bytes apart, becomes element i of row j, rows `out_pitch` bytes apart.
  using Transpose = void (*)(const void* in, int64_t in_pitch, int64_t rows, int64_t columns, void* out,
                             int64_t out_pitch);

  // Entry for a dtype (pair); the dtypes must be of the kinds named above.
  Quantize quantize(vkv_dtype from, vkv_dtype to) const { return quantize_[float_index(from)][fp8_index(to)]; }
  Dequantize dequantize(vkv_dtype from, vkv_dtype to) const { return dequantize_[fp8_index(from)][float_index(to)]; }
  Amax amax(vkv_dtype from) const { return amax_[float_index(from)]; }
  Widen widen(vkv_dtype from) const { return widen_[float_index(from)]; }
  Narrow narrow(vkv_dtype to) const { return narrow_[float_index(to)]; }
  Mix mix(vkv_dtype from, vkv_dtype to) const { return mix_[float_index(from)][to == VKV_DTYPE_FP8_E4M3 ? 1 : 0]; }
  Rotate rotate(vkv_dtype dtype, bool neox) const { return rotate_[float_index(dtype)][neox ? 0 : 1]; }
  QuantizeNvfp4 quantize_nvfp4(vkv_dtype from) const { return quantize_nvfp4_[float_index(from)]; }
  // Elements of 1, 2 or 4 bytes.
  Transpose transpose(int64_t size) const { return transpose_[size / 2]; }

  Quantize quantize_[3][2];
  Dequantize dequantize_[2][3];
  Amax amax_[3];
  Widen widen_[3];
  Narrow narrow_[3];
  Mix mix_[3][2];
  QuantizeNvfp4 quantize_nvfp4_[2];
  Transpose transpose_[3];
  Rotate rotate_[3][2];

 private:
  static int float_index(vkv_dtype d) { return d == VKV_DTYPE_F16 ? 0 : d == VKV_DTYPE_BF16 ? 1 : 2; }
  static int fp8_index(vkv_dtype d) { return d == VKV_DTYPE_FP8_E4M3 ? 0 : 1; }
};

const RowKernels& row_kernels(Isa isa);

}  // namespace vkv::cpu
