#include "support/reference/cp_gather_and_upconvert_fp8_kv_cache.hpp"

#include "support/reference/ragged.hpp"

namespace reference {

int64_t cp_gather_and_upconvert_fp8_kv_cache(const support::Array& src_cache, const support::Array& block_table,
                                             const support::Array& workspace_starts, const support::Array& seq_starts,
                                             support::Array& dst) {
  int64_t absent = 0;
  for (int64_t row = 0; row < dst.dim(0); ++row) {
    const Source from =
        source_of_row(workspace_starts, seq_starts, block_table, row, src_cache.dim(0), src_cache.dim(1));
    if (!from.owned) continue;
    if (!from.in_cache) {
      ++absent;
      for (int64_t d = 0; d < 576; ++d) dst.set_bits({row, d}, 0);
      continue;
    }
    // `count` bytes of the entry from byte `at` on, as one little-endian number.
    const auto number = [&](int64_t at, int64_t count) {
      uint64_t value = 0;
      for (int64_t b = 0; b < count; ++b) value |= src_cache.bits({from.block, from.offset, at + b}) << (8 * b);
      return value;
    };
    for (int64_t d = 0; d < 512; ++d) {
      const double scale = support::decode(VKV_DTYPE_F32, number(512 + d / 128 * 4, 4));
      const double product = support::decode(VKV_DTYPE_FP8_E4M3, number(d, 1)) * scale;
      dst.set({row, d}, support::rounded(VKV_DTYPE_F32, product));
    }
    for (int64_t d = 0; d < 64; ++d) dst.set_bits({row, 512 + d}, number(528 + 2 * d, 2));
  }
  return absent;
}

}  // namespace reference
