// Float32 lanes of one vector unit, and the functions made of them. Every function is one sequence of IEEE operations:
// its bits do not depend on where in a vector a number sits.
#pragma once

#if defined(VKV_ISA_avx512)
#include "cpu/isa/vector_avx512.hpp"
#elif defined(VKV_ISA_avx2)
#include "cpu/isa/vector_avx2.hpp"
#else
#include "cpu/isa/vector_generic.hpp"
#endif

namespace vkv::cpu::VKV_ISA {

// e^x. Relative error below 1.2e-7 for x in [-87.3, 88]; below it 0, NaN stays NaN, e^0 = 1.
inline Vec exp(Vec x) {
  constexpr float kLowest = -87.3f;
  const Vec bounded = larger(broadcast(kLowest), x);
  const Vec n = round_to_integer(bounded * broadcast(0x1.715476p+0f));
  // x = n ln 2 + r; the first part of ln 2 has so few bits that its product with n is exact.
  const Vec r = madd(n, broadcast(-0x1.7f7d1cp-20f), madd(n, broadcast(-0x1.62e4p-1f), bounded));
  Vec p = broadcast(0x1.6a23cep-10f);
  p = madd(p, r, broadcast(0x1.123a2p-7f));
  p = madd(p, r, broadcast(0x1.5558f2p-5f));
  p = madd(p, r, broadcast(0x1.555492p-3f));
  p = madd(p, r, broadcast(0x1.fffffcp-2f));
  p = madd(p * r, r, r) + broadcast(1.0f);
  return select(less(x, broadcast(kLowest)), broadcast(0.0f), p * power_of_two(n));
}

inline float exp(float x) { return first(exp(broadcast(x))); }

// Relative error below 3e-7; NaN stays NaN.
inline Vec tanh(Vec x) {
  const Vec s = x * x;
  Vec p = broadcast(-0x1.69712ap-8f);
  p = madd(p, s, broadcast(0x1.4f5efcp-6f));
  p = madd(p, s, broadcast(-0x1.b7cff2p-5f));
  p = madd(p, s, broadcast(0x1.1103f2p-3f));
  p = madd(p, s, broadcast(-0x1.555524p-2f));
  const Vec small = madd(p * s, x, x);
  const Vec a = larger(x, broadcast(0.0f) - x);
  // 1 from 9.1 on: half a unit in the last place of 1 is 2^-25.
  const Vec bounded = select(less(broadcast(10.0f), a), broadcast(10.0f), a);
  const Vec e = exp(bounded + bounded);
  const Vec large = broadcast(1.0f) - broadcast(2.0f) / (e + broadcast(1.0f));
  const Vec with_sign = select(less(x, broadcast(0.0f)), broadcast(0.0f) - large, large);
  return select(less(a, broadcast(0.65f)), small, with_sign);
}

}  // namespace vkv::cpu::VKV_ISA
