// cp_gather_and_upconvert_fp8_kv_cache on the CPU: each row's entry is widened tile by tile.
#include <cstring>

#include "cpu/ops.hpp"
#include "cpu/ragged.hpp"

namespace vkv::cpu {

void run(const Context& ctx, const CpGatherAndUpconvertFp8KvCache& q, vkv_stream) {
  constexpr int32_t kOp = VKV_OP_CP_GATHER_AND_UPCONVERT_FP8_KV_CACHE;
  constexpr auto kRowBytes = static_cast<std::size_t>(DsMlaEntry::kRank + DsMlaEntry::kRope) * sizeof(uint16_t);
  const CpuContext& cpu = self(ctx);
  const BlockTable table(ctx, kOp, q.block_table, q.num_blocks, q.block_size);
  const RaggedRows rows(ctx, kOp, q.workspace_starts, q.seq_starts, table, q.batch, q.num_rows);
  const RowKernels::Dequantize dequantize = cpu.rows.dequantize(VKV_DTYPE_FP8_E4M3, q.dst.dtype);

  const auto widen = [&](const Place& at, uint16_t* out) {
    const uint8_t* entry =
        q.src_cache.as<const uint8_t>() + at.block * q.src_cache.stride[0] + at.offset * q.src_cache.stride[1];
    for (int64_t i = 0; i < DsMlaEntry::kTiles; ++i) {
      float scale;
      std::memcpy(&scale, entry + DsMlaEntry::kScaleOffset + i * 4, sizeof scale);
      dequantize(entry + i * DsMlaEntry::kTile, out + i * DsMlaEntry::kTile, DsMlaEntry::kTile, scale);
    }
    std::memcpy(out + DsMlaEntry::kRank, entry + DsMlaEntry::kRopeOffset, DsMlaEntry::kRope * sizeof *out);
  };

  constexpr int64_t kBytesEach = DsMlaEntry::kBytes + static_cast<int64_t>(kRowBytes);
  cpu.pool.for_ranges(q.num_rows, kBytesEach, [&](int64_t begin, int64_t end) {
    rows.for_each(begin, end, [&](int64_t row, const std::optional<Place>& at) {
      auto* out = q.dst.as<uint16_t>() + row * q.dst.stride[0];
      if (at) {
        widen(*at, out);
      } else {
        std::memset(out, 0, kRowBytes);
      }
    });
  });
}

}  // namespace vkv::cpu
