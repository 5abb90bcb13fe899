// Every number format of the library as float64 values, one naive definition for all of them: a table of the format's
// values, and "nearest, ties to the even code". Shares no code with src/.
#pragma once

#include <cstdint>

#include "vkv.h"

namespace support {

int64_t element_size(vkv_dtype dtype);
bool is_integer(vkv_dtype dtype);

// The value of an element's bits.
double decode(vkv_dtype dtype, uint64_t bits);

// Nearest representable, ties to even. f16|bf16|f32 overflow to infinity; e4m3|e5m2 saturate to the largest finite value,
// infinity too; NaN becomes the format's (positive, quiet) NaN.
uint64_t encode(vkv_dtype dtype, double value);

// decode(encode(value)).
double rounded(vkv_dtype dtype, double value);

// E2M1 codes 0..15: {0, .5, 1, 1.5, 2, 3, 4, 6} and their negatives. Saturates at 6; NaN becomes +6.
double decode_e2m1(unsigned code);
unsigned encode_e2m1(double value);

}  // namespace support
