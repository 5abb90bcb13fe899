// cp_gather_indexer_k_quant_cache on the CPU: two memcpy a row.
#include <cstring>

#include "cpu/ops.hpp"
#include "cpu/ragged.hpp"
#include "ops/indexer_block.hpp"

namespace vkv::cpu {

void run(const Context& ctx, const CpGatherIndexerKQuantCache& q, vkv_stream) {
  constexpr int32_t kOp = VKV_OP_CP_GATHER_INDEXER_K_QUANT_CACHE;
  const BlockTable table(ctx, kOp, q.block_table, q.num_blocks, q.block_size);
  const Tensor no_starts{};
  const RaggedRows rows(ctx, kOp, q.cu_seq_lens, no_starts, table, q.batch, q.num_rows);
  const IndexerBlock block{q.block_size, q.head_dim, q.scales_per_row};
  const auto k_bytes = static_cast<std::size_t>(q.head_dim);
  const auto scale_bytes = static_cast<std::size_t>(q.scales_per_row * 4);
  self(ctx).pool.for_ranges(q.num_rows, 2 * (q.head_dim + q.scales_per_row * 4), [&](int64_t begin, int64_t end) {
    rows.for_each(begin, end, [&](int64_t row, const std::optional<Place>& at) {
      char* k = q.dst_k.as<char>() + row * q.dst_k.stride[0];
      float* scale = q.dst_scale.as<float>() + row * q.dst_scale.stride[0];
      if (at) {
        const char* base = q.kv_cache.as<const char>() + at->block * q.kv_cache.stride[0];
        std::memcpy(k, base + block.k(at->offset), k_bytes);
        std::memcpy(scale, base + block.scale(at->offset), scale_bytes);
      } else {
        std::memset(k, 0, k_bytes);
        std::memset(scale, 0, scale_bytes);
      }
    });
  });
}

}  // namespace vkv::cpu
