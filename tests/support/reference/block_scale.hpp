// Scales of blocks quantised to E4M3, as the exact numbers that the formulas name.
#pragma once

#include "support/array.hpp"

namespace reference {

// Largest |a[row, d]| for d in [first, first + count), NaN passed over.
double largest_magnitude(const support::Array& a, int64_t row, int64_t first, int64_t count);

// The smallest power of two that is not below x > 0; infinity for infinity.
double power_of_two_not_below(double x);

// What a cache of dtype `cache` holds of x: one float32 division, one rounding.
uint64_t quantised(vkv_dtype cache, double x, double scale);

// Writes a number's four bytes into four elements of a byte array, from row-major position `at` on.
void set_f32_bytes(support::Array& bytes, int64_t at, double value);

}  // namespace reference
