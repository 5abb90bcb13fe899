// concat_and_cache_mla on the CPU: each token's two rows become one entry at its slot.
#include <cfloat>
#include <cstring>

#include "cpu/block_scale.hpp"
#include "cpu/mla_entry.hpp"
#include "cpu/ops.hpp"

namespace vkv::cpu {

namespace {

// The 656-byte entries.
class DsMlaEntries {
 public:
  DsMlaEntries(const RowKernels& rows, const ConcatAndCacheMla& q)
      : q_(q), amax_(rows.amax(q.kv_c.dtype)), quantize_(rows.quantize(q.kv_c.dtype, VKV_DTYPE_FP8_E4M3)) {}

  void write(int64_t token, const Place& at) const {
    char* entry = q_.kv_cache.as<char>() + at.block * q_.kv_cache.stride[0] + at.offset * q_.kv_cache.stride[1];
    const uint16_t* kv_c = q_.kv_c.as<const uint16_t>() + token * q_.kv_c.stride[0];
    for (int64_t i = 0; i < DsMlaEntry::kTiles; ++i) {
      const uint16_t* tile = kv_c + i * DsMlaEntry::kTile;
      const float scale = scale_of(amax_(tile, DsMlaEntry::kTile));
      quantize_(tile, entry + i * DsMlaEntry::kTile, DsMlaEntry::kTile, scale);
      std::memcpy(entry + DsMlaEntry::kScaleOffset + i * 4, &scale, sizeof scale);
    }
    const uint16_t* k_pe = q_.k_pe.as<const uint16_t>() + token * q_.k_pe.stride[0];
    std::memcpy(entry + DsMlaEntry::kRopeOffset, k_pe, DsMlaEntry::kRope * sizeof *k_pe);
  }

 private:
  float scale_of(float amax) const {
    const float exact = amax / 448.0f;
    if (q_.scale_pow2) return pow2_not_below(exact > 1e-4f ? exact : 1e-4f);
    return exact > FLT_MIN ? exact : FLT_MIN;
  }

  const ConcatAndCacheMla& q_;
  const RowKernels::Amax amax_;
  const RowKernels::Quantize quantize_;
};

template <class Entries>
void write_tokens(const Context& ctx, const ConcatAndCacheMla& q, const Entries& entries) {
  const Slots slots(ctx, VKV_OP_CONCAT_AND_CACHE_MLA, q.slot_mapping, q.num_blocks, q.block_size);
  const int64_t bytes_each = (q.kv_lora_rank + q.rope_dim) * element_size(q.kv_c.dtype) * 2;
  self(ctx).pool.for_ranges(q.num_tokens, bytes_each, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      if (const auto at = slots.place(n)) entries.write(n, *at);
    }
  });
}

}  // namespace

void run(const Context& ctx, const ConcatAndCacheMla& q, vkv_stream) {
  const RowKernels& rows = self(ctx).rows;
  if (q.kv_cache.dtype == VKV_DTYPE_FP8_DS_MLA) {
    write_tokens(ctx, q, DsMlaEntries(rows, q));
  } else {
    write_tokens(ctx, q, MlaEntries(rows, q.kv_c, q.k_pe, q.kv_cache, q.scale));
  }
}

}  // namespace vkv::cpu
