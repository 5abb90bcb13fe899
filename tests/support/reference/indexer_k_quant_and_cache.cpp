#include "support/reference/indexer_k_quant_and_cache.hpp"

#include <algorithm>

#include "support/reference/block_scale.hpp"

namespace reference {

void indexer_k_quant_and_cache(const support::Array& k, const support::Array& slot_mapping, int64_t quant_block_size,
                               int32_t scale_rule, support::Array& kv_cache) {
  const int64_t width = quant_block_size == 0 ? 128 : quant_block_size, dim = k.dim(1);
  const int64_t block_size = kv_cache.dim(1), block_bytes = block_size * kv_cache.dim(2);
  const double least = support::rounded(VKV_DTYPE_F32, 1e-4);
  for (int64_t n = 0; n < slot_mapping.size(); ++n) {
    const int64_t slot = slot_mapping.integer(n);
    if (slot < 0 || slot >= kv_cache.dim(0) * block_size) continue;
    const int64_t block = slot / block_size * block_bytes, token = slot % block_size;  // row-major positions are bytes
    for (int64_t g = 0; g < dim / width; ++g) {
      const double exact = std::max(largest_magnitude(k, n, g * width, width), least) / 448;
      const double scale =
          scale_rule == VKV_SCALE_RULE_F32 ? support::rounded(VKV_DTYPE_F32, exact) : power_of_two_not_below(exact);
      for (int64_t d = g * width; d < (g + 1) * width; ++d) {
        kv_cache.set_bits(block + token * dim + d, quantised(VKV_DTYPE_FP8_E4M3, k.at({n, d}), scale));
      }
      set_f32_bytes(kv_cache, block + block_size * dim + (token * (dim / width) + g) * 4, scale);
    }
  }
}

}  // namespace reference
