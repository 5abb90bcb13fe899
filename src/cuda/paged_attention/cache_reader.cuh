// Numbers of a cache as float32, read where they lie: any cache dtype, layout and alignment. The kind of cache is
// decided at run time, once for several tokens, so that one kernel serves all.
#pragma once

#include "cuda/paged_attention/problem.cuh"
#include "cuda/primitives/memory.cuh"
#include "cuda/primitives/number.cuh"

namespace vkv::cuda {

#ifdef __CUDACC__

// Where a token of one side and head begins, and its number in its block.
struct CacheToken {
  const char* at;
  uint32_t offset;
};

// One side, K or V, of one KV head.
class CacheReader {
 public:
  // `aligned`: bytes that every row, block and head is a multiple of, up to 16.
  __device__ CacheReader(const AttentionParams& p, const CacheSide& side, bool values, int32_t head, int32_t aligned)
      : side_(side),
        dtype_(p.cache_dtype),
        aligned_(aligned),
        head_(head),
        quarter_(values && p.swizzled_v ? p.head_dim / 64 : 0),
        by_dims_(values && p.x_packed) {}

  __device__ CacheToken token(uint32_t block, uint32_t offset) const {
    return {side_.data + block * side_.block + head_ * side_.head + offset * side_.token, offset};
  }

  // Dims [d, d + kCount) of kTokens tokens; d is a multiple of kCount.
  template <int kTokens, int kCount>
  __device__ void read(const CacheToken (&tokens)[kTokens], int d, float (&x)[kTokens][kCount]) const {
    switch (dtype_) {
      case VKV_DTYPE_F32: return read_as<F32, 4>(tokens, d, x);
      case VKV_DTYPE_F16: return read_as<F16, 2>(tokens, d, x);
      case VKV_DTYPE_BF16: return read_as<BF16, 2>(tokens, d, x);
      case VKV_DTYPE_FP8_E4M3: return read_as<E4M3, 1>(tokens, d, x);
      case VKV_DTYPE_FP8_E5M2: return read_as<E5M2, 1>(tokens, d, x);
      default: return read_nvfp4(tokens, d, x);
    }
  }

 private:
  // kElements of kSize bytes, each `step` bytes behind the one before.
  template <int kSize, int kElements>
  static __device__ void gather(const char* at, int64_t step, Pack<kSize * kElements>& raw) {
#pragma unroll
    for (int i = 0; i < kElements; ++i) {
      raw.template as<Bytes<kSize>>()[i] = __ldg(reinterpret_cast<const Bytes<kSize>*>(at + i * step));
    }
  }

  template <class Format, int kSize, int kTokens, int kCount>
  __device__ void read_as(const CacheToken (&tokens)[kTokens], int d, float (&x)[kTokens][kCount]) const {
    constexpr int kRun = kCount * kSize <= 16 ? kCount : 16 / kSize;  // elements that surely lie side by side
    constexpr int kRuns = kCount / kRun;
    Pack<kRun * kSize> raw[kTokens][kRuns];
    // K, and strided V: pieces of 16 bytes, `pitch` apart.
    const auto run = [&](int t, int i) {
      const int byte = (d + i * kRun) * kSize;
      return tokens[t].at + (byte >> 4) * side_.pitch + (byte & 15);
    };
    if (by_dims_) {
#pragma unroll
      for (int t = 0; t < kTokens; ++t) {
#pragma unroll
        for (int i = 0; i < kRuns; ++i) {
          gather<kSize, kRun>(tokens[t].at + (d + i * kRun) * side_.pitch, side_.pitch, raw[t][i]);
        }
      }
    } else if (aligned_ >= kRun * kSize) {
#pragma unroll
      for (int t = 0; t < kTokens; ++t) {
#pragma unroll
        for (int i = 0; i < kRuns; ++i) raw[t][i].load_shared(run(t, i));
      }
    } else {
#pragma unroll
      for (int t = 0; t < kTokens; ++t) {
#pragma unroll
        for (int i = 0; i < kRuns; ++i) gather<kSize, kRun>(run(t, i), kSize, raw[t][i]);
      }
    }
#pragma unroll
    for (int t = 0; t < kTokens; ++t) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        const auto& from = raw[t][i / kRun];
        if constexpr (kSize > 1) {
          x[t][i] = Format::decode(from.template as<typename Format::Storage>()[i % kRun]);
        } else {
          const float2 pair = Format::decode2(from.template as<uint16_t>()[i % kRun / 2]);
          x[t][i] = i % 2 == 0 ? pair.x : pair.y;
        }
      }
    }
  }

  // A code put into a half's bits 15, 11..9 is 2^-14 times its value.
  template <int kTokens, int kCount>
  __device__ void read_nvfp4(const CacheToken (&tokens)[kTokens], int d, float (&x)[kTokens][kCount]) const {
    Pack<kCount / 2> raw[kTokens];
    uint8_t scale[kTokens];
#pragma unroll
    for (int t = 0; t < kTokens; ++t) {
      const char* at = tokens[t].at + d / 2;
      if (aligned_ >= kCount / 2) raw[t].load_shared(at);
      else gather<1, kCount / 2>(at, 1, raw[t]);
      scale[t] = __ldg(scale_of(tokens[t], d / 16));
    }
#pragma unroll
    for (int t = 0; t < kTokens; ++t) {
      const float by = E4M3::decode(scale[t]) * 0x1p14f;
#pragma unroll
      for (int i = 0; i < kCount; i += 2) {
        const uint32_t byte = raw[t].template as<uint8_t>()[i / 2], codes = (byte | byte << 12) & 0x000F000Fu;
        const uint32_t halves = (codes << 12 & 0x80008000u) | (codes << 9 & 0x0E000E00u);
        const float2 pair = __half22float2(reinterpret_cast<const __half2&>(halves));
        x[t][i] = pair.x * by;
        x[t][i + 1] = pair.y * by;
      }
    }
  }

  // The scale of a group of 16 dims. Swizzled: the four rows of a quad of tokens hold one another's.
  __device__ const uint8_t* scale_of(const CacheToken& token, int group) const {
    int64_t row = token.offset, byte = group;
    if (quarter_ != 0) {
      row = token.offset / 4 * 4 + group / quarter_;
      byte = group % quarter_ * 4 + token.offset % 4;
    }
    const char* block = token.at - head_ * side_.head - token.offset * side_.token;
    const char* scales = block + side_.scales + head_ * side_.scale_head;
    return reinterpret_cast<const uint8_t*>(scales + row * side_.scale_token + byte);
  }

  const CacheSide& side_;
  const vkv_dtype dtype_;
  const int32_t aligned_, head_;
  const int quarter_;  // of a token's scales, where they are swizzled; else 0
  const bool by_dims_;
};

#endif

}  // namespace vkv::cuda
