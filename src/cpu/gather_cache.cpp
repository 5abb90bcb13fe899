// gather_and_maybe_dequant_cache and cp_gather_cache on the CPU: each row is one memcpy, or one conversion from fp8.
#include <cstring>

#include "cpu/ops.hpp"
#include "cpu/ragged.hpp"

namespace vkv::cpu {

namespace {

// Calls fill(dst row, src entry) for the rows that lie in the cache; those that lie nowhere become zero.
template <class Problem, class Fill>
void gather(const Context& ctx, int32_t op, const Problem& g, int64_t rows, int64_t row_bytes, Fill&& fill) {
  const BlockTable table(ctx, op, g.block_table, g.num_blocks, g.block_size);
  const RaggedRows ragged(ctx, op, g.cu_seq_lens, g.seq_starts, table, g.batch, g.dst.shape[0]);
  const int64_t src_element = element_size(g.src_cache.dtype), dst_element = element_size(g.dst.dtype);
  self(ctx).pool.for_ranges(rows, 2 * row_bytes, [&](int64_t begin, int64_t end) {
    ragged.for_each(begin, end, [&](int64_t row, const std::optional<Place>& at) {
      char* out = g.dst.template as<char>() + row * g.dst.stride[0] * dst_element;
      if (!at) {
        std::memset(out, 0, static_cast<std::size_t>(row_bytes));
        return;
      }
      const int64_t entry = at->block * g.src_cache.stride[0] + at->offset * g.src_cache.stride[1];
      fill(out, g.src_cache.template as<const char>() + entry * src_element);
    });
  });
}

}  // namespace

void run(const Context& ctx, const GatherAndMaybeDequantCache& g, vkv_stream) {
  constexpr int32_t kOp = VKV_OP_GATHER_AND_MAYBE_DEQUANT_CACHE;
  const int64_t row_bytes = g.entry * element_size(g.dst.dtype);
  if (g.src_cache.dtype == g.dst.dtype) {
    gather(ctx, kOp, g, g.num_tokens, row_bytes, [&](char* out, const char* entry) {
      std::memcpy(out, entry, static_cast<std::size_t>(row_bytes));
    });
    return;
  }
  const RowKernels::Dequantize dequantize = self(ctx).rows.dequantize(g.src_cache.dtype, g.dst.dtype);
  const float scale = g.scale.present() ? *g.scale.as<const float>() : 1.0f;
  gather(ctx, kOp, g, g.num_tokens, row_bytes,
         [&](char* out, const char* entry) { dequantize(entry, out, g.entry, scale); });
}

void run(const Context& ctx, const CpGatherCache& g, vkv_stream) {
  gather(ctx, VKV_OP_CP_GATHER_CACHE, g, g.num_rows, g.entry_bytes, [&](char* out, const char* entry) {
    std::memcpy(out, entry, static_cast<std::size_t>(g.entry_bytes));
  });
}

}  // namespace vkv::cpu
