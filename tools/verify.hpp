// What must be true of a replay's results: attention rows within a tolerance of float64, cache bytes exact.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/cache_layout.hpp"

namespace tools {

// Largest relative L2 error of a head's output that is right. The sums are float32, so what remains is the rounding of
// the output, at most 2^-11 (f16) or 2^-8 (bf16) of an element, and on some devices that of the softmax weights to the
// same dtype: four and two times that. f32: sums of up to 2^14 terms, whose rounding errors of 2^-24 grow by a random
// walk.
double tolerance(vkv_dtype output);

// The attention of the query at position length - 1 of a request over its first `length` tokens, as the caches hold
// them, in float64: [heads, head_size]. Written from vkv_paged_attention's formula.
std::vector<double> expected_row(const Content& content, int64_t request, int64_t length);

// Largest relative L2 error of any head of a row of output elements; infinity where a NaN or infinity is out of place.
double row_error(const Content& content, int64_t request, int64_t length, const void* output_row);

// Bytes of one block that differ from what the request's tokens [first, last) leave in it, from the block's first row
// on.
int64_t wrong_bytes(const Content& content, const CacheLayout& layout, int64_t request, int64_t first, int64_t last,
                    const uint8_t* block);

}  // namespace tools
