#include "support/reference/reshape_and_cache.hpp"

#include "support/reference/reshape_and_cache_flash.hpp"

namespace reference {

namespace {

// Calls put(n, h, d, block, offset) for each element of each token that has a place.
template <class Put>
void for_each_placed(const support::Array& input, const support::Array& slots, int64_t num_blocks, int64_t block_size,
                     Put put) {
  for (int64_t n = 0; n < slots.size(); ++n) {
    const int64_t slot = slots.integer(n);
    if (slot < 0 || slot >= num_blocks * block_size) continue;
    for (int64_t h = 0; h < input.dim(1); ++h) {
      for (int64_t d = 0; d < input.dim(2); ++d) put(n, h, d, slot / block_size, slot % block_size);
    }
  }
}

}  // namespace

void reshape_and_cache_keys(const support::Array& key, const support::Array& slots, const support::Array& scale,
                            support::Array& cache) {
  const int64_t x = cache.dim(4);
  for_each_placed(key, slots, cache.dim(0), cache.dim(3), [&](int64_t n, int64_t h, int64_t d, int64_t b, int64_t t) {
    cache.set_bits({b, h, d / x, t, d % x}, stored(key, n, h, d, cache.dtype(), head_scale(scale, h)));
  });
}

void reshape_and_cache_values(const support::Array& value, const support::Array& slots, const support::Array& scale,
                              support::Array& cache) {
  for_each_placed(value, slots, cache.dim(0), cache.dim(3), [&](int64_t n, int64_t h, int64_t d, int64_t b, int64_t t) {
    cache.set_bits({b, h, d, t}, stored(value, n, h, d, cache.dtype(), head_scale(scale, h)));
  });
}

}  // namespace reference
