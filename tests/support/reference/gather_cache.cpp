#include "support/reference/gather_cache.hpp"

#include "support/reference/ragged.hpp"

namespace reference {

int64_t gather_cache(const support::Array& src_cache, const support::Array& block_table,
                     const support::Array& cu_seq_lens, const support::Array& seq_starts, const support::Array& scale,
                     int64_t rows, support::Array& dst) {
  const int64_t block_size = src_cache.dim(1), entry = dst.dim(0) > 0 ? dst.size() / dst.dim(0) : 0;
  const double factor = scale.present() ? scale.at(0) : 1.0;
  int64_t absent = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const Source from = source_of_row(cu_seq_lens, seq_starts, block_table, row, src_cache.dim(0), block_size);
    if (!from.owned) continue;
    absent += !from.in_cache;
    for (int64_t e = 0; e < entry; ++e) {
      uint64_t bits = 0;
      if (from.in_cache) {
        const int64_t i = (from.block * block_size + from.offset) * entry + e;
        // The product of an fp8 number and a float32 is exact in float64, so that the cast is float32's one rounding.
        bits = src_cache.dtype() == dst.dtype()
                   ? src_cache.bits(i)
                   : support::encode(dst.dtype(), static_cast<float>(src_cache.at(i) * factor));
      }
      dst.set_bits(row * entry + e, bits);
    }
  }
  return absent;
}

}  // namespace reference
