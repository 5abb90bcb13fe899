#include "support/reference/reshape_and_cache_flash.hpp"

#include "support/reference/nvfp4.hpp"

namespace reference {

float head_scale(const support::Array& scale, int64_t head) {
  if (!scale.present()) return 1.0f;
  return static_cast<float>(scale.at(scale.size() == 1 ? 0 : head));
}

uint64_t stored(const support::Array& input, int64_t n, int64_t h, int64_t d, vkv_dtype cache, float scale) {
  if (input.dtype() == cache) return input.bits({n, h, d});
  const float quotient = static_cast<float>(input.at({n, h, d})) / scale;
  return support::encode(cache, static_cast<double>(quotient));
}

void reshape_and_cache_flash(const support::Array& input, const support::Array& slots, const support::Array& scale,
                             support::Array& cache, int64_t plane, bool nvfp4_swizzled) {
  const int64_t block_size = cache.dim(2);
  const bool nvfp4 = cache.dtype() == VKV_DTYPE_NVFP4;
  for (int64_t n = 0; n < slots.size(); ++n) {
    const int64_t slot = slots.integer(n);
    if (slot < 0 || slot >= cache.dim(1) * block_size) continue;
    for (int64_t h = 0; h < input.dim(1); ++h) {
      if (nvfp4) {
        std::vector<float> x;
        for (int64_t d = 0; d < input.dim(2); ++d) x.push_back(static_cast<float>(input.at({n, h, d})));
        nvfp4_write(x.data(), head_scale(scale, h), Nvfp4Block(cache, nvfp4_swizzled), slot % block_size, h,
                    cache.base() + plane * cache.stride()[0] + slot / block_size * cache.stride()[1]);
        continue;
      }
      for (int64_t d = 0; d < input.dim(2); ++d) {
        cache.set_bits({plane, slot / block_size, slot % block_size, h, d},
                       stored(input, n, h, d, cache.dtype(), head_scale(scale, h)));
      }
    }
  }
}

}  // namespace reference
