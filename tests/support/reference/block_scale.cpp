#include "support/reference/block_scale.hpp"

#include <cmath>

namespace reference {

double largest_magnitude(const support::Array& a, int64_t row, int64_t first, int64_t count) {
  double largest = 0;
  for (int64_t d = first; d < first + count; ++d) {
    const double x = std::fabs(a.at({row, d}));
    if (x > largest) largest = x;
  }
  return largest;
}

double power_of_two_not_below(double x) {
  if (std::isinf(x)) return x;
  double power = 0x1p-200;
  while (power < x) power *= 2;
  return power;
}

uint64_t quantised(vkv_dtype cache, double x, double scale) {
  return support::encode(cache, support::rounded(VKV_DTYPE_F32, x / scale));
}

void set_f32_bytes(support::Array& bytes, int64_t at, double value) {
  const uint64_t word = support::encode(VKV_DTYPE_F32, value);
  for (int64_t i = 0; i < 4; ++i) bytes.set_bits(at + i, word >> (8 * i) & 0xFF);
}

}  // namespace reference
