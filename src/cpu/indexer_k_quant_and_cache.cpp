// indexer_k_quant_and_cache on the CPU: each token's key is quantised run by run into its block's two parts.
#include <cstring>

#include "cpu/block_scale.hpp"
#include "cpu/ops.hpp"
#include "cpu/paging.hpp"
#include "ops/indexer_block.hpp"

namespace vkv::cpu {

void run(const Context& ctx, const IndexerKQuantAndCache& q, vkv_stream) {
  const CpuContext& cpu = self(ctx);
  const Slots slots(ctx, VKV_OP_INDEXER_K_QUANT_AND_CACHE, q.slot_mapping, q.num_blocks, q.block_size);
  const RowKernels::Amax amax = cpu.rows.amax(q.k.dtype);
  const RowKernels::Quantize quantize = cpu.rows.quantize(q.k.dtype, VKV_DTYPE_FP8_E4M3);
  const int64_t element = element_size(q.k.dtype), scales = q.head_dim / q.quant_block_size;
  const IndexerBlock block{q.block_size, q.head_dim, scales};

  const auto write = [&](int64_t token, const Place& at) {
    const char* x = q.k.as<const char>() + token * q.k.stride[0] * element;
    char* base = q.kv_cache.as<char>() + at.block * q.kv_cache.stride[0];
    char* out = base + block.k(at.offset);
    char* out_scale = base + block.scale(at.offset);
    for (int64_t g = 0; g < scales; ++g) {
      const float largest = amax(x, q.quant_block_size);
      const float exact = (largest > 1e-4f ? largest : 1e-4f) / 448.0f;
      const float scale = q.scale_pow2 ? pow2_not_below(exact) : exact;
      quantize(x, out, q.quant_block_size, scale);
      std::memcpy(out_scale, &scale, sizeof scale);
      x += q.quant_block_size * element;
      out += q.quant_block_size;
      out_scale += sizeof scale;
    }
  };

  cpu.pool.for_ranges(q.num_tokens, q.head_dim * (element + 1) + scales * 4, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      if (const auto at = slots.place(n)) write(n, *at);
    }
  });
}

}  // namespace vkv::cpu
