// How each cache dtype gets from shared memory into matrix fragments. K and V are the wide operand A, so a row of A is a token
// (K) or a dim (V); fp8 and NVFP4 are widened to float16 on the way, exactly. Within a 16-wide step of the product, dims and
// tokens may stand in any order as long as both operands agree; the orders chosen here are those in which bytes arrive.
#pragma once

#include <cuda_fp8.h>

#include "cuda/paged_attention/problem.cuh"
#include "cuda/primitives/mma.cuh"

namespace vkv::cuda {

#ifdef __CUDACC__

// Which 16-byte piece of a row is stored where: pieces move so that eight rows of a fragment lie in different banks.
template <int kPieces>
__device__ int swizzled(int row, int piece) {
  if constexpr (kPieces >= 8) return piece ^ (row & 7);
  else if constexpr (kPieces == 4) return piece ^ ((row >> 1) & 3);
  else if constexpr (kPieces == 2) return piece ^ ((row >> 2) & 1);
  else return piece;
}

// x-packed tiles keep the order of memory, so that a sector arrives in one place: K [pieces][tokens][16 bytes], with tokens
// moved by pairs; V [dims][halves of the tokens][16 bytes] or, fp8, [halves][dims][16 bytes].
__device__ inline int swizzled_token(int token) { return token ^ ((token >> 3 & 1) << 1); }

template <class MmaType, vkv_dtype kDtype, uint32_t kExponents>
struct Kind16 {
  using Mma = MmaType;
  static constexpr vkv_dtype dtype = kDtype;
  static constexpr int tile_tokens = 16;
  template <int kDim>
  static constexpr int row_bytes = 2 * kDim;
  template <int>
  static constexpr int scale_bytes = 0;
  static constexpr float gain = 1.0f;  // stored numbers are `gain` times what fragments hold
  static constexpr bool converts_query = false;
  static constexpr bool neighbours = true;  // query_dims are

  // Dims of B's (q's) element pair for k = 2t (half 0) or 2t + 8 (half 1) of step `k`.
  static __device__ int2 query_dims(int k, int half, int t) {
    const int d = 16 * k + 8 * half + 2 * t;
    return {d, d + 1};
  }
  // Token of row i of K's fragment, and of column i of V's.
  template <bool kXPacked>
  static __device__ int token(int i) {
    return i;
  }
  // Dim of row (g + 8 * half) of V's fragment m.
  template <bool kXPacked>
  static __device__ constexpr int dim(int m, int half, int g) {
    return 16 * m + 8 * half + g;
  }

  // Bytes from a tile of x-packed V to half of a dim's tokens.
  template <int>
  static __device__ int run(int dim, int half) {
    return dim * 32 + 16 * (half ^ (dim >> 2 & 1));
  }

  // Where V's numbers that are not finite are found: bytes, and of each number; where that of a token and a dim is.
  static constexpr uint32_t exponents = kExponents;
  using Special = uint16_t;
  template <int kDim>
  static constexpr int special_bytes = tile_tokens * row_bytes<kDim>;
  template <int kDim, bool kXPacked>
  static __device__ int special_at(int token, int dim) {
    if constexpr (kXPacked) return run<kDim>(dim, token / 8) + token % 8 * 2;
    else return token * row_bytes<kDim> + 16 * swizzled<row_bytes<kDim> / 16>(token, dim / 8) + dim % 8 * 2;
  }
  static __device__ bool is_infinity(uint32_t bits) { return (bits & 0x7FFFu) == (kExponents & 0xFFFFu); }

  // Calls step(k, a) with K's fragments of 16 tokens from `first` on.
  template <int kDim, bool kXPacked, class Step>
  static __device__ void keys(uint32_t tile, uint32_t, int first, int lane, Step&& step) {
    constexpr int kPieces = row_bytes<kDim> / 16;
    const int row = first + (lane & 15);
#pragma unroll
    for (int k = 0; k < kDim / 16; ++k) {
      uint32_t a[4];
      const int piece = 2 * k + (lane >> 4);
      ldmatrix_x4(a, tile + (kXPacked ? 16 * (piece * tile_tokens + swizzled_token(row))
                                      : row * row_bytes<kDim> + 16 * swizzled<kPieces>(row, piece)));
      step(k, a);
    }
  }
  template <int kDim, bool kXPacked, class Step>
  static __device__ void values(uint32_t tile, uint32_t, int first, int lane, Step&& step) {
    constexpr int kPieces = row_bytes<kDim> / 16;
    const int i = lane >> 3, r = lane & 7;
#pragma unroll
    for (int m = 0; m < kDim / 16; ++m) {
      uint32_t a[4];
      if constexpr (kXPacked) {
        const int row = 16 * m + (i & 1) * 8 + r;
        ldmatrix_x4(a, tile + run<kDim>(row, i >> 1));
      } else {
        const int row = first + (i >> 1) * 8 + r;
        ldmatrix_x4_trans(a, tile + row * row_bytes<kDim> + 16 * swizzled<kPieces>(row, 2 * m + (i & 1)));
      }
      step(m, a);
    }
  }
};

using KindF16 = Kind16<MmaF16, VKV_DTYPE_F16, 0x7C007C00u>;
using KindBF16 = Kind16<MmaBF16, VKV_DTYPE_BF16, 0x7F807F80u>;

// Two fp8 numbers to two halves.
template <__nv_fp8_interpretation_t kFormat>
__device__ uint32_t widen_fp8(uint32_t pair) {
  const __half2_raw h = __nv_cvt_fp8x2_to_halfraw2(static_cast<__nv_fp8x2_storage_t>(pair), kFormat);
  return reinterpret_cast<const uint32_t&>(h);
}

template <__nv_fp8_interpretation_t kFormat, vkv_dtype kDtype>
struct Kind8 {
  using Mma = MmaF16;
  static constexpr vkv_dtype dtype = kDtype;
  static constexpr int tile_tokens = 32;
  template <int kDim>
  static constexpr int row_bytes = kDim;
  template <int>
  static constexpr int scale_bytes = 0;
  static constexpr float gain = 1.0f;
  static constexpr bool converts_query = true;
  static constexpr int query_exponent = 8;  // of a bfloat16 row's largest number as a half
  static constexpr bool neighbours = true;

  static __device__ int2 query_dims(int k, int half, int t) {
    const int d = 16 * k + 4 * t + 2 * half;
    return {d, d + 1};
  }
  template <bool kXPacked>
  static __device__ int token(int i) {
    if constexpr (!kXPacked) return i;
    else return 4 * ((i & 7) >> 1) + (i & 1) + 2 * (i >> 3);
  }
  template <bool kXPacked>
  static __device__ constexpr int dim(int m, int half, int g) {
    return kXPacked ? 16 * m + 8 * half + g : 16 * m + 2 * g + half;
  }
  template <int kDim>
  static __device__ int run(int dim, int half) {
    return 16 * (half * kDim + dim);
  }

  static constexpr bool has_infinity = kFormat == __NV_E5M2;
  static constexpr uint32_t exponents = has_infinity ? 0x7C7C7C7Cu : 0x7F7F7F7Fu;
  using Special = uint8_t;
  template <int kDim>
  static constexpr int special_bytes = tile_tokens * row_bytes<kDim>;
  template <int kDim, bool kXPacked>
  static __device__ int special_at(int token, int dim) {
    if constexpr (kXPacked) return run<kDim>(dim, token / 16) + token % 16;
    else return token * row_bytes<kDim> + 16 * swizzled<row_bytes<kDim> / 16>(token, dim / 16) + dim % 16;
  }
  static __device__ bool is_infinity(uint32_t bits) { return has_infinity && (bits & 0x7Fu) == 0x7Cu; }

  template <int kDim, bool kXPacked, class Step>
  static __device__ void keys(uint32_t tile, uint32_t, int first, int lane, Step&& step) {
    constexpr int kPieces = row_bytes<kDim> / 16;
    const int row = first + token<kXPacked>(lane & 15);
#pragma unroll
    for (int k = 0; k < kDim / 16; k += 2) {
      uint32_t r[4];
      const int piece = k + (lane >> 4);
      ldmatrix_x4(r, tile + (kXPacked ? 16 * (piece * tile_tokens + swizzled_token(row))
                                      : row * row_bytes<kDim> + 16 * swizzled<kPieces>(row, piece)));
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const uint32_t a[4] = {widen_fp8<kFormat>(r[2 * i] & 0xFFFF), widen_fp8<kFormat>(r[2 * i + 1] & 0xFFFF),
                               widen_fp8<kFormat>(r[2 * i] >> 16), widen_fp8<kFormat>(r[2 * i + 1] >> 16)};
        step(k + i, a);
      }
    }
  }
  template <int kDim, bool kXPacked, class Step>
  static __device__ void values(uint32_t tile, uint32_t, int first, int lane, Step&& step) {
    constexpr int kPieces = row_bytes<kDim> / 16;
    const int i = lane >> 3, r = lane & 7;
#pragma unroll
    for (int m = 0; m < kDim / 16; m += 2) {
      uint32_t x[4];
      if constexpr (kXPacked) {
        const int row = 16 * m + i * 8 + r;
        ldmatrix_x4(x, tile + run<kDim>(row, first >> 4));
      } else {
        const int row = first + (i & 1) * 8 + r;
        ldmatrix_x4_trans(x, tile + row * row_bytes<kDim> + 16 * swizzled<kPieces>(row, m + (i >> 1)));
#pragma unroll
        for (int j = 0; j < 4; ++j) x[j] = __byte_perm(x[j], 0, 0x3120);  // dims 2g and 2g + 1 apart
      }
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        const uint32_t low = x[2 * j], high = x[2 * j + 1];
        if constexpr (kXPacked) {
          const uint32_t a[4] = {widen_fp8<kFormat>(low & 0xFFFF), widen_fp8<kFormat>(high & 0xFFFF),
                                 widen_fp8<kFormat>(low >> 16), widen_fp8<kFormat>(high >> 16)};
          step(m + j, a);
        } else {
          const uint32_t a[4] = {widen_fp8<kFormat>(low & 0xFFFF), widen_fp8<kFormat>(low >> 16),
                                 widen_fp8<kFormat>(high & 0xFFFF), widen_fp8<kFormat>(high >> 16)};
          step(m + j, a);
        }
      }
    }
  }
};

using KindE4M3 = Kind8<__NV_E4M3, VKV_DTYPE_FP8_E4M3>;
using KindE5M2 = Kind8<__NV_E5M2, VKV_DTYPE_FP8_E5M2>;

// NVFP4. An e2m1 code put into a half's bits 15, 11..9 is 2^-14 times its value. Times the scale it is 2^-14 times the number,
// exactly: a multiple of 2^-24 of at most six bits. Scales lie in shared memory as they do in the cache, [tokens][dims / 16].
struct KindNvfp4 {
  using Mma = MmaF16;
  static constexpr vkv_dtype dtype = VKV_DTYPE_NVFP4;
  static constexpr int tile_tokens = 32;
  template <int kDim>
  static constexpr int row_bytes = kDim / 2;
  template <int kDim>
  static constexpr int scale_bytes = kDim / 16;
  static constexpr float gain = 16384.0f;
  static constexpr bool converts_query = true;
  static constexpr int query_exponent = 15;  // leaves room for `gain`
  static constexpr bool neighbours = false;

  static __device__ int2 query_dims(int k, int half, int t) {
    const int d = 32 * (k / 2) + 8 * t + 2 * (k % 2) + half;
    return {d, d + 4};
  }
  template <bool>
  static __device__ int token(int i) {
    return i;
  }
  template <bool>
  static __device__ constexpr int dim(int m, int half, int g) {
    return 32 * (m / 2) + 4 * g + 2 * (m % 2) + half;
  }
  template <int>
  static __device__ int run(int, int) {
    return 0;  // never x-packed
  }

  // Only scales can be NaN.
  static constexpr uint32_t exponents = 0x7F7F7F7Fu;
  using Special = uint8_t;
  template <int kDim>
  static constexpr int special_bytes = tile_tokens * scale_bytes<kDim>;
  template <int kDim, bool>
  static __device__ int special_at(int token, int dim) {
    return token * scale_bytes<kDim> + dim / 16;
  }
  static __device__ bool is_infinity(uint32_t) { return false; }

  // Bit 7 of each byte from `signs`, the others from `numbers`: one instruction, of which the compiler would make two.
  static __device__ uint32_t joined(uint32_t signs, uint32_t numbers) {
    uint32_t x;
    asm("lop3.b32 %0, %1, %2, 0x80808080, 0xE4;" : "=r"(x) : "r"(signs), "r"(numbers));
    return x;
  }
  // Codes i and i + 4 of eight become x[i]. First they come to bits 7, 3..1 of bytes whose other bits mean nothing.
  static __device__ void widen(uint32_t codes, uint32_t (&x)[4]) {
    const uint32_t even = joined(codes << 4, codes << 1), odd = joined(codes, codes >> 3);
    constexpr uint32_t kBits = 0x8E008E00u;
    x[0] = even << 8 & kBits;
    x[1] = odd << 8 & kBits;
    x[2] = even & kBits;
    x[3] = odd & kBits;
  }
  static __device__ uint32_t times(uint32_t a, __half2 scales) {
    const __half2 y = __hmul2(reinterpret_cast<const __half2&>(a), scales);
    return reinterpret_cast<const uint32_t&>(y);
  }
  static __device__ __half2 widen_scales(uint32_t pair) {
#if __CUDA_ARCH__ >= 890
    const uint32_t x = widen_fp8<__NV_E4M3>(pair);
#else
    // Without an instruction for it the conversion is a loop. A number's bits moved into a half are 2^-8 times it, but for NaN.
    const uint32_t bytes = (pair | pair << 8) & 0x00FF00FFu, numbers = (bytes & 0x007F007Fu) << 7;
    const uint32_t nan = (numbers + 0x00800080u) & 0x40004000u;
    const uint32_t x = times((bytes & 0x00800080u) << 8 | numbers | nan, __float2half2_rn(256.0f));
#endif
    return reinterpret_cast<const __half2&>(x);
  }

  // Where in a tile's first 16 tokens a lane's piece for ldmatrix is. The one c pieces on, c even, is at that ^ 16 * c.
  template <int kDim>
  static __device__ uint32_t piece(int lane) {
    const int row = lane & 15;
    return row * row_bytes<kDim> + 16 * swizzled<row_bytes<kDim> / 16>(row, lane >> 4);
  }

  template <int kDim, bool, class Step>
  static __device__ void keys(uint32_t tile, uint32_t scales, int first, int lane, Step&& step) {
    constexpr int kRow = scale_bytes<kDim>;
    const int g = lane >> 2, t = lane & 3;
    const uint32_t at = tile + piece<kDim>(lane);
    uint32_t low[kRow / 4], high[kRow / 4];  // of tokens g and g + 8
    load_shared(low, scales + g * kRow + first * kRow);
    load_shared(high, scales + g * kRow + (first + 8) * kRow);
    const uint32_t pick = t < 2 ? 0x6420 : 0x7531;  // a lane's dims are in one group of each two
#pragma unroll
    for (int c = 0; c < kDim / 32; c += 2) {
      uint32_t r[4];
      ldmatrix_x4(r, (at ^ 16 * c) + first * row_bytes<kDim>);
      const uint32_t by = __byte_perm(low[c / 2], high[c / 2], pick);
      const __half2 by_low = widen_scales(by & 0xFFFF), by_high = widen_scales(by >> 16);
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        uint32_t x[4], y[4];
        widen(r[2 * i], x);
        widen(r[2 * i + 1], y);
        const __half2 l = i == 0 ? __low2half2(by_low) : __high2half2(by_low);
        const __half2 h = i == 0 ? __low2half2(by_high) : __high2half2(by_high);
#pragma unroll
        for (int k = 0; k < 2; ++k) {
          const uint32_t a[4] = {times(x[2 * k], l), times(y[2 * k], h), times(x[2 * k + 1], l), times(y[2 * k + 1], h)};
          step(2 * (c + i) + k, a);
        }
      }
    }
  }
  template <int kDim, bool, class Step>
  static __device__ void values(uint32_t tile, uint32_t scales, int first, int lane, Step&& step) {
    constexpr int kRow = scale_bytes<kDim>;
    const int g = lane >> 2, t = lane & 3;
    const uint32_t at = tile + piece<kDim>(lane);
    uint32_t early[kRow / 2], late[kRow / 2];  // of tokens 2t, 2t + 1 and of those 8 later
    load_shared(early, scales + 2 * t * kRow + first * kRow);
    load_shared(late, scales + 2 * t * kRow + (first + 8) * kRow);
    const uint32_t pick = g < 4 ? 0x6240 : 0x7351;
#pragma unroll
    for (int c = 0; c < kDim / 32; c += 2) {
      uint32_t r[4];
      ldmatrix_x4_trans(r, (at ^ 16 * c) + first * row_bytes<kDim>);
      const uint32_t by_early = __byte_perm(early[c / 2], early[c / 2 + kRow / 4], pick);
      const uint32_t by_late = __byte_perm(late[c / 2], late[c / 2 + kRow / 4], pick);
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        uint32_t x[4], y[4];
        widen(r[2 * j], x);
        widen(r[2 * j + 1], y);
        const __half2 e = widen_scales(by_early >> 16 * j & 0xFFFF), l = widen_scales(by_late >> 16 * j & 0xFFFF);
#pragma unroll
        for (int k = 0; k < 2; ++k) {
          const uint32_t a[4] = {times(x[2 * k], e), times(x[2 * k + 1], e), times(y[2 * k], l), times(y[2 * k + 1], l)};
          step(2 * (c + j) + k, a);
        }
      }
    }
  }
};

#endif

}  // namespace vkv::cuda
