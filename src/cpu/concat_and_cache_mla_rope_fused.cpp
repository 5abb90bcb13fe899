// concat_and_cache_mla_rope_fused on the CPU: heads and k_pe are rotated where they lie, then the entry is written.
#include "cpu/mla_entry.hpp"
#include "cpu/ops.hpp"

namespace vkv::cpu {

void run(const Context& ctx, const ConcatAndCacheMlaRopeFused& q, vkv_stream) {
  constexpr int32_t kOp = VKV_OP_CONCAT_AND_CACHE_MLA_ROPE_FUSED;
  const CpuContext& cpu = self(ctx);
  const Slots slots(ctx, kOp, q.slot_mapping, q.num_blocks, q.block_size);
  const MlaEntries entries(cpu.rows, q.kv_c, q.k_pe, q.kv_cache, q.kv_cache_scale);
  const RowKernels::Rotate rotate = cpu.rows.rotate(q.q_pe.dtype, q.neox);
  const int64_t element = element_size(q.q_pe.dtype);

  const auto rotate_token = [&](int64_t n, int64_t position) {
    const char* cos_sin = q.cos_sin_cache.as<const char>() + position * q.cos_sin_cache.stride[0] * element;
    for (int64_t h = 0; h < q.num_heads; ++h) {
      rotate(q.q_pe.as<char>() + (n * q.q_pe.stride[0] + h * q.q_pe.stride[1]) * element, cos_sin, q.rope_dim);
    }
    rotate(q.k_pe.as<char>() + n * q.k_pe.stride[0] * element, cos_sin, q.rope_dim);
  };

  const int64_t bytes_each = ((q.num_heads + 1) * q.rope_dim + q.kv_lora_rank) * element * 2;
  cpu.pool.for_ranges(q.num_tokens, bytes_each, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const auto at = slots.place(n);
      if (!at) continue;
      const int64_t position = q.positions.as<const int64_t>()[n * q.positions.stride[0]];
      if (position < 0 || position >= q.max_position) {
        cpu.report.note(kOp, VKV_REPORT_POSITION, n, position, q.max_position);
        continue;
      }
      if (q.rope_dim != 0) rotate_token(n, position);
      entries.write(n, *at);
    }
  });
}

}  // namespace vkv::cpu
