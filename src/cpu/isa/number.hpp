// Number formats as branchless scalar code that compilers turn into vector code inside loops. Include it only from files
// that are compiled once per vector unit: everything sits in that unit's namespace, so that no copy made for one unit can
// be linked into another.
#pragma once

#include <cstdint>

#include "core/dtype.hpp"

namespace vkv::cpu::VKV_ISA {

inline float as_float(uint32_t bits) { return __builtin_bit_cast(float, bits); }
inline uint32_t as_bits(float value) { return __builtin_bit_cast(uint32_t, value); }

// Tags: storage type, decode to float32 (exact), encode from float32 (nearest even).
struct F32 {
  using Storage = float;
  static constexpr vkv_dtype dtype = VKV_DTYPE_F32;
  static float decode(float x) { return x; }
  static float encode(float x) { return x; }
};

struct BF16 {
  using Storage = uint16_t;
  static constexpr vkv_dtype dtype = VKV_DTYPE_BF16;
  static float decode(uint16_t x) { return as_float(static_cast<uint32_t>(x) << 16); }
  static uint16_t encode(float x) {
    const uint32_t u = as_bits(x);
    const uint32_t rounded = (u + 0x7FFFu + ((u >> 16) & 1u)) >> 16;
    const uint32_t nan = (u >> 16) | 0x40u;
    return static_cast<uint16_t>((u & 0x7FFFFFFFu) > 0x7F800000u ? nan : rounded);
  }
};

struct F16 {
  using Storage = uint16_t;
  static constexpr vkv_dtype dtype = VKV_DTYPE_F16;
  static float decode(uint16_t x) {
    const uint32_t magnitude = static_cast<uint32_t>(x & 0x7FFFu) << 13;
    const uint32_t sign = static_cast<uint32_t>(x & 0x8000u) << 16;
    const uint32_t finite = as_bits(as_float(magnitude) * 0x1.0p112f);  // rebias; subnormals come out exact
    const uint32_t special = magnitude | 0x7F800000u;
    return as_float(sign | (magnitude >= (0x7C00u << 13) ? special : finite));
  }
  static uint16_t encode(float x) {
    const uint32_t u = as_bits(x), sign = (u >> 16) & 0x8000u, magnitude = u & 0x7FFFFFFFu;
    // Normal results: add half an ulp (ties to even) and rebias in integers.
    const uint32_t normal = (magnitude + 0xC8000FFFu + ((magnitude >> 13) & 1u)) >> 13;
    // Below 2^-14: adding 0.5 lines the bits up with float32's, which rounds to nearest even.
    const uint32_t subnormal = as_bits(as_float(magnitude) + 0.5f) - 0x3F000000u;
    uint32_t out = magnitude < 0x38800000u ? subnormal : normal;
    out = magnitude >= 0x477FF000u ? 0x7C00u : out;
    out = magnitude > 0x7F800000u ? 0x7E00u : out;
    return static_cast<uint16_t>(sign | out);
  }
};

// Both fp8 formats: `kMantissa` bits, saturating to `kMaxCode`, NaN stored as 0x7F.
template <vkv_dtype kDtype, int kMantissa, int kBias, uint32_t kMaxCode>
struct Fp8 {
  using Storage = uint8_t;
  static constexpr vkv_dtype dtype = kDtype;
  static constexpr int kShift = 23 - kMantissa;

  static float decode(uint8_t x) {
    const uint32_t code = x & 0x7Fu, sign = static_cast<uint32_t>(x & 0x80u) << 24;
    const uint32_t finite = as_bits(as_float(code << kShift) * as_float((127u + 127u - kBias) << 23));
    uint32_t out = finite;
    if (kDtype == VKV_DTYPE_FP8_E4M3) {
      out = code == 0x7Fu ? 0x7FC00000u : out;
    } else {
      out = code == 0x7Cu ? 0x7F800000u : out;
      out = code > 0x7Cu ? 0x7FC00000u : out;
    }
    return as_float(sign | out);
  }

  static uint8_t encode(float x) {
    const uint32_t u = as_bits(x), sign = (u >> 24) & 0x80u, magnitude = u & 0x7FFFFFFFu;
    constexpr uint32_t kRebias = static_cast<uint32_t>(127 - kBias) << 23;
    constexpr uint32_t kHalf = (1u << (kShift - 1)) - 1u;
    const uint32_t normal = (magnitude - kRebias + kHalf + ((magnitude >> kShift) & 1u)) >> kShift;
    // Smallest normal is 2^(1 - bias); below it, adding this constant lines the bits up so that float32 rounds them.
    constexpr uint32_t kAlign = static_cast<uint32_t>(127 + 1 - kBias + kShift) << 23;
    const uint32_t subnormal = as_bits(as_float(magnitude) + as_float(kAlign)) - kAlign;
    uint32_t out = magnitude < (static_cast<uint32_t>(127 + 1 - kBias) << 23) ? subnormal : normal;
    out = magnitude >= 0x47800000u || out > kMaxCode ? kMaxCode : out;  // 2^16 is above both formats' range
    out = magnitude > 0x7F800000u ? 0x7Fu : out;
    return static_cast<uint8_t>(magnitude > 0x7F800000u ? 0x7Fu : sign | out);
  }
};

using E4M3 = Fp8<VKV_DTYPE_FP8_E4M3, 3, 7, 0x7Eu>;
using E5M2 = Fp8<VKV_DTYPE_FP8_E5M2, 2, 15, 0x7Bu>;

}  // namespace vkv::cpu::VKV_ISA
