#include "support/reference/cp_gather_indexer_k_quant_cache.hpp"

#include "support/reference/ragged.hpp"

namespace reference {

int64_t cp_gather_indexer_k_quant_cache(const support::Array& kv_cache, const support::Array& block_table,
                                        const support::Array& cu_seq_lens, support::Array& dst_k,
                                        support::Array& dst_scale) {
  const int64_t dim = dst_k.dim(1), scales = dst_scale.dim(1), block_size = kv_cache.dim(1);
  const int64_t block_bytes = block_size * kv_cache.dim(2);
  int64_t absent = 0;
  for (int64_t row = 0; row < dst_k.dim(0); ++row) {
    const Source from = source_of_row(cu_seq_lens, {}, block_table, row, kv_cache.dim(0), block_size);
    if (!from.owned) continue;
    absent += !from.in_cache;
    // Row-major positions of the cache are bytes.
    const auto byte = [&](int64_t i) { return from.in_cache ? kv_cache.bits(from.block * block_bytes + i) : 0; };
    for (int64_t d = 0; d < dim; ++d) dst_k.set_bits({row, d}, byte(from.offset * dim + d));
    for (int64_t g = 0; g < scales; ++g) {
      uint64_t word = 0;
      for (int64_t b = 0; b < 4; ++b) word |= byte(block_size * dim + (from.offset * scales + g) * 4 + b) << (8 * b);
      dst_scale.set_bits({row, g}, word);
    }
  }
  return absent;
}

}  // namespace reference
