// Number formats as branchless scalar code that compilers turn into vector code inside loops. Include it only from files
// that are compiled once per vector unit: everything sits in that unit's namespace, so that no copy made for one unit can
// be linked into another.
#pragma once

#include <cstdint>

#include "core/dtype.hpp"

namespace vkv::cpu::VKV_ISA {

inline float as_float(uint32_t bits) { return __builtin_bit_cast(float, bits); }
inline uint32_t as_bits(float value) { return __builtin_bit_cast(uint32_t, value); }

// Tags: storage type, decode to float32 (exact), encode from float32 (nearest even), and rounded, which is decode(encode())
// without leaving 32-bit lanes.
struct F32 {
  using Storage = float;
  static constexpr vkv_dtype dtype = VKV_DTYPE_F32;
  static float decode(float x) { return x; }
  static float encode(float x) { return x; }
  static float rounded(float x) { return x; }
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
  static float rounded(float x) {
    const uint32_t u = as_bits(x);
    const uint32_t number = u + 0x7FFFu + ((u >> 16) & 1u), nan = u | 0x400000u;
    return as_float((static_cast<int32_t>(u & 0x7FFFFFFFu) > 0x7F800000 ? nan : number) & 0xFFFF0000u);
  }
};

// Value of a float whose exponent field was widened, as in `bits` = (code << shift) + rebias: exact for normal codes;
// for subnormal ones the hidden bit that they lack is taken off again. `smallest` is the format's smallest normal number.
// (A multiplication would do both at once, but many processors take 100 cycles and more to multiply subnormals.)
inline uint32_t without_hidden_bit(uint32_t bits, float smallest) {
  const float value = as_float(bits), excess = value - smallest;
  return as_bits(value + (excess < 0.0f ? excess : 0.0f));
}

struct F16 {
  using Storage = uint16_t;
  static constexpr vkv_dtype dtype = VKV_DTYPE_F16;
  static float decode(uint16_t x) {
    constexpr uint32_t kRebias = (127u - 15u) << 23;
    const uint32_t sign = static_cast<uint32_t>(x & 0x8000u) << 16;
    const uint32_t bits = (static_cast<uint32_t>(x & 0x7FFFu) << 13) + kRebias;
    const uint32_t special = bits + kRebias;
    return as_float(sign | (bits >= (0x7C00u << 13) + kRebias ? special : without_hidden_bit(bits, 0x1p-14f)));
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
  static float rounded(float x) {
    const uint32_t u = as_bits(x), sign = u & 0x80000000u;
    const auto magnitude = static_cast<int32_t>(u & 0x7FFFFFFFu);
    // 2^13 times the number's power of two (at least 2^-14) leaves room for 10 bits behind the leading one.
    const int32_t power = magnitude & 0x7F800000, least = 0x38800000, step = power > least ? power : least;
    const float unit = as_float(static_cast<uint32_t>(step) + (13u << 23));
    int32_t out = static_cast<int32_t>(as_bits((as_float(static_cast<uint32_t>(magnitude)) + unit) - unit));
    out = magnitude >= 0x477FF000 ? 0x7F800000 : out;
    out = magnitude > 0x7F800000 ? 0x7FC00000 : out;
    return as_float(sign | static_cast<uint32_t>(out));
  }
};

// Codes of a narrow format in 32 bits: `kMantissa` bits, saturating to `kMaxCode`, sign in bit `kSign`, NaN stored as
// the largest code without a sign. Adding 2^kShift times the number's power of two leaves kMantissa bits behind its
// leading one, and float32's addition rounds them. Magnitudes are compared as signed numbers, which more vector units
// can.
template <int kMantissa, int kBias, uint32_t kMaxCode, int kSign>
struct Narrow {
  static constexpr int kShift = 23 - kMantissa;
  static constexpr uint32_t kRebias = static_cast<uint32_t>(127 - kBias) << 23;
  static constexpr uint32_t kMinNormal = kRebias + (1u << 23);

  static uint32_t code(float x) {
    constexpr auto kLimit = static_cast<int32_t>((kMaxCode << kShift) + kRebias);
    constexpr auto kLeast = static_cast<int32_t>(kMinNormal);
    const uint32_t u = as_bits(x), sign = (u >> 31) << kSign;
    const auto magnitude = static_cast<int32_t>(u & 0x7FFFFFFFu);
    const int32_t limited = magnitude < kLimit ? magnitude : kLimit;
    const int32_t power = limited & 0x7F800000;
    const int32_t step = power > kLeast ? power : kLeast;
    const uint32_t unit = static_cast<uint32_t>(step) + (static_cast<uint32_t>(kShift) << 23);
    const uint32_t mantissa = as_bits(as_float(static_cast<uint32_t>(limited)) + as_float(unit)) - unit;
    const uint32_t number = sign | (mantissa + ((static_cast<uint32_t>(step) - kMinNormal) >> kShift));
    return magnitude > 0x7F800000 ? (1u << kSign) - 1u : number;
  }
};

template <vkv_dtype kDtype, int kMantissa, int kBias, uint32_t kMaxCode>
struct Fp8 : Narrow<kMantissa, kBias, kMaxCode, 7> {
  using Format = Narrow<kMantissa, kBias, kMaxCode, 7>;
  using Storage = uint8_t;
  static constexpr vkv_dtype dtype = kDtype;

  static float decode(uint8_t x) { return value(x); }
  static uint8_t encode(float x) { return static_cast<uint8_t>(Format::code(x)); }

  // decode() of a code in 32 bits, for loops that had better not mix widths.
  static float value(uint32_t x) {
    const uint32_t code = x & 0x7Fu, sign = (x & 0x80u) << 24;
    uint32_t out = without_hidden_bit((code << Format::kShift) + Format::kRebias, as_float(Format::kMinNormal));
    if (kDtype == VKV_DTYPE_FP8_E4M3) {
      out = code == 0x7Fu ? 0x7FC00000u : out;
    } else {
      out = code == 0x7Cu ? 0x7F800000u : out;
      out = code > 0x7Cu ? 0x7FC00000u : out;
    }
    return as_float(sign | out);
  }
};

using E4M3 = Fp8<VKV_DTYPE_FP8_E4M3, 3, 7, 0x7Eu>;
using E5M2 = Fp8<VKV_DTYPE_FP8_E5M2, 2, 15, 0x7Bu>;
using E2M1 = Narrow<1, 1, 7, 3>;

}  // namespace vkv::cpu::VKV_ISA
