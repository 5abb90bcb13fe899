// Four lanes, for machines of any kind: the compiler's own vectors.
#pragma once

#include "cpu/isa/number.hpp"

namespace vkv::cpu::VKV_ISA {

constexpr int kLanes = 4;
typedef float Vec __attribute__((vector_size(16)));
typedef int32_t Mask __attribute__((vector_size(16)));  // all ones or all zeros in each lane

inline Vec broadcast(float x) { return Vec{x, x, x, x}; }
inline Vec load(const float* p) {
  Vec v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
inline void store(float* p, Vec v) { __builtin_memcpy(p, &v, sizeof v); }
inline float first(Vec v) { return v[0]; }

// a * b + c, fused where the machine has that instruction.
inline Vec madd(Vec a, Vec b, Vec c) {
#if defined(__FP_FAST_FMAF)
  return Vec{__builtin_fmaf(a[0], b[0], c[0]), __builtin_fmaf(a[1], b[1], c[1]), __builtin_fmaf(a[2], b[2], c[2]),
             __builtin_fmaf(a[3], b[3], c[3])};
#else
  return a * b + c;
#endif
}

inline Mask mask_of(uint32_t bits) {
  const Mask lane = {1, 2, 4, 8};
  const auto b = static_cast<int32_t>(bits);
  return (Mask{b, b, b, b} & lane) == lane;
}
inline Mask less(Vec a, Vec b) { return a < b; }
inline Vec select(Mask m, Vec yes, Vec no) {
  return __builtin_bit_cast(Vec, (__builtin_bit_cast(Mask, yes) & m) | (__builtin_bit_cast(Mask, no) & ~m));
}
// a > b ? a : b in each lane, so b where either is NaN.
inline Vec larger(Vec a, Vec b) { return select(a > b, a, b); }

inline float sum(Vec v) { return (v[0] + v[2]) + (v[1] + v[3]); }
inline float largest(Vec v) {
  const float a = v[0] > v[2] ? v[0] : v[2], b = v[1] > v[3] ? v[1] : v[3];
  return a > b ? a : b;
}
// Lane i of the result is the sum of v[i].
inline Vec sums(const Vec (&v)[kLanes]) { return Vec{sum(v[0]), sum(v[1]), sum(v[2]), sum(v[3])}; }

// To the nearest integer, for |x| < 2^22.
inline Vec round_to_integer(Vec x) {
  const Vec magic = broadcast(0x1.8p23f);
  return (x + magic) - magic;
}
// 2^n for integers n in [-126, 127].
inline Vec power_of_two(Vec n) {
  return __builtin_bit_cast(Vec, __builtin_bit_cast(Mask, n + broadcast(0x1.8p23f + 127.0f)) << 23);
}
inline Vec first_integers() { return Vec{0, 1, 2, 3}; }

// kLanes stored numbers, exactly; kGain times less than what they stand for.
template <class T>
struct Load {
  static constexpr float kGain = 1.0f;
  static Vec vector(const char* p) {
    typename T::Storage in[kLanes];
    __builtin_memcpy(in, p, sizeof in);
    return Vec{T::decode(in[0]), T::decode(in[1]), T::decode(in[2]), T::decode(in[3])};
  }
};

// out[t * 16 + i] = number t of the run at p + i * pitch, for i < dims, t < 16.
template <class T>
void transpose(const char* p, int64_t pitch, int64_t dims, float* out) {
  for (int64_t i = 0; i < dims; ++i) {
    typename T::Storage in[16];
    __builtin_memcpy(in, p + i * pitch, sizeof in);
    for (int64_t t = 0; t < 16; ++t) out[t * 16 + i] = T::decode(in[t]);
  }
}

}  // namespace vkv::cpu::VKV_ISA
