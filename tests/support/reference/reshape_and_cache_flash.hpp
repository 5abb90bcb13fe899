#pragma once

#include "support/array.hpp"

namespace reference {

// Bits of a number stored in a cache of type `cache`: its own if that is its type, else those of x / scale.
uint64_t stored(const support::Array& input, int64_t n, int64_t h, int64_t d, vkv_dtype cache, float scale);

// One side of vkv_reshape_and_cache_flash: writes `input` [tokens, heads, dim] into plane `plane` of the host image of
// `cache` [planes, num_blocks, block_size, heads, dim or NVFP4 bytes]. Slots outside the cache are skipped.
void reshape_and_cache_flash(const support::Array& input, const support::Array& slots, const support::Array& scale,
                             support::Array& cache, int64_t plane, bool nvfp4_swizzled = false);

// The scale of a head: 1 if absent, the only element, or the head's.
float head_scale(const support::Array& scale, int64_t head);

}  // namespace reference
