#include "support/number.hpp"

#include <cmath>
#include <cstring>
#include <limits>

namespace support {

namespace {

// sign | exponent_bits | mantissa_bits, IEEE style. `top_is_special`: the largest exponent holds infinity and NaN;
// otherwise (E4M3) only the all-ones code is NaN.
struct Format {
  int exponent_bits, mantissa_bits;
  bool top_is_special;
  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  int bits() const { return 1 + exponent_bits + mantissa_bits; }
};

Format format_of(vkv_dtype dtype) {
  switch (dtype) {
    case VKV_DTYPE_F16: return {5, 10, true};
    case VKV_DTYPE_BF16: return {8, 7, true};
    case VKV_DTYPE_F32: return {8, 23, true};
    case VKV_DTYPE_FP8_E5M2: return {5, 2, true};
    default: return {4, 3, false};  // E4M3
  }
}

// Magnitude of a code without its sign bit; NaN and infinity as such.
double magnitude(const Format& f, uint64_t code) {
  const auto exponent = static_cast<int>(code >> f.mantissa_bits);
  const auto mantissa = static_cast<double>(code & ((1ull << f.mantissa_bits) - 1));
  const int top = (1 << f.exponent_bits) - 1;
  const double fraction = mantissa / std::ldexp(1.0, f.mantissa_bits);
  if (f.top_is_special && exponent == top) {
    return mantissa == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  }
  if (!f.top_is_special && code == (1ull << (f.bits() - 1)) - 1) return std::numeric_limits<double>::quiet_NaN();
  if (exponent == 0) return std::ldexp(fraction, 1 - f.bias());
  return std::ldexp(1.0 + fraction, exponent - f.bias());
}

uint64_t largest_finite(const Format& f) {
  const uint64_t infinity = ((1ull << f.exponent_bits) - 1) << f.mantissa_bits;
  return f.top_is_special ? infinity - 1 : (1ull << (f.bits() - 1)) - 2;
}

}  // namespace

int64_t element_size(vkv_dtype dtype) {
  switch (dtype) {
    case VKV_DTYPE_F16:
    case VKV_DTYPE_BF16: return 2;
    case VKV_DTYPE_F32:
    case VKV_DTYPE_I32: return 4;
    case VKV_DTYPE_I64: return 8;
    default: return 1;
  }
}

bool is_integer(vkv_dtype dtype) {
  return dtype == VKV_DTYPE_U8 || dtype == VKV_DTYPE_I32 || dtype == VKV_DTYPE_I64 || dtype == VKV_DTYPE_NVFP4 ||
         dtype == VKV_DTYPE_FP8_DS_MLA;
}

double decode(vkv_dtype dtype, uint64_t bits) {
  if (dtype == VKV_DTYPE_I32) return static_cast<int32_t>(bits);
  if (dtype == VKV_DTYPE_I64) return static_cast<double>(static_cast<int64_t>(bits));
  if (is_integer(dtype)) return static_cast<double>(bits);
  if (dtype == VKV_DTYPE_F32) {
    const auto word = static_cast<uint32_t>(bits);
    float value;
    std::memcpy(&value, &word, sizeof value);
    return value;
  }
  const Format f = format_of(dtype);
  const uint64_t sign = 1ull << (f.bits() - 1);
  const double m = magnitude(f, bits & (sign - 1));
  return (bits & sign) != 0 ? -m : m;
}

uint64_t encode(vkv_dtype dtype, double value) {
  if (is_integer(dtype)) return static_cast<uint64_t>(static_cast<int64_t>(value));
  const Format f = format_of(dtype);
  const uint64_t sign = std::signbit(value) ? 1ull << (f.bits() - 1) : 0;
  const bool saturates = dtype == VKV_DTYPE_FP8_E4M3 || dtype == VKV_DTYPE_FP8_E5M2;
  const uint64_t top = largest_finite(f);
  if (std::isnan(value)) {
    if (!f.top_is_special) return top + 1;                     // E4M3: 0x7F
    if (dtype == VKV_DTYPE_FP8_E5M2) return 0x7F;
    return top + 1 + (1ull << (f.mantissa_bits - 1));          // quiet NaN
  }
  const double x = std::fabs(value);
  // Binary search for the last code whose magnitude is <= x; codes without sign are ordered.
  uint64_t low = 0, high = top;
  while (low < high) {
    const uint64_t middle = low + (high - low + 1) / 2;
    if (magnitude(f, middle) <= x) low = middle;
    else high = middle - 1;
  }
  if (low == top) {
    // One step past the largest finite value, were there one, decides overflow.
    const double step = magnitude(f, top) - magnitude(f, top - 1);
    if (saturates || x < magnitude(f, top) + step / 2) return sign | top;
    return sign | (top + 1);
  }
  const double below = x - magnitude(f, low), above = magnitude(f, low + 1) - x;
  const bool up = above < below || (above == below && (low & 1) != 0);
  return sign | (low + (up ? 1 : 0));
}

double rounded(vkv_dtype dtype, double value) { return decode(dtype, encode(dtype, value)); }

double decode_e2m1(unsigned code) {
  static const double values[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  return (code & 8) != 0 ? -values[code & 7] : values[code & 7];
}

unsigned encode_e2m1(double value) {
  if (std::isnan(value)) return 7;
  const unsigned sign = std::signbit(value) ? 8 : 0;
  const double x = std::fabs(value) > 6 ? 6 : std::fabs(value);
  unsigned best = 0;
  for (unsigned code = 1; code < 8; ++code) {
    const double now = std::fabs(decode_e2m1(code) - x), before = std::fabs(decode_e2m1(best) - x);
    if (now < before || (now == before && code % 2 == 0)) best = code;
  }
  return sign | best;
}

}  // namespace support
