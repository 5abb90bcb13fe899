// vkv_cp_gather_indexer_k_quant_cache: entry points and validation.
#include "ops/cp_gather_indexer_k_quant_cache.hpp"

#include "core/entry.hpp"
#include "ops/indexer_block.hpp"

namespace vkv {
namespace {

struct Op {
  static constexpr const char* name = "vkv_cp_gather_indexer_k_quant_cache";
  using Params = vkv_cp_gather_indexer_k_quant_cache_params;
  static constexpr uint32_t size_v1 = 568, flags = 0;
  static constexpr auto row = &Backend::cp_gather_indexer_k_quant_cache;

  static CpGatherIndexerKQuantCache check(const Params& p, const Check& check) {
    CpGatherIndexerKQuantCache q{};
    q.dst_k = check.tensor("dst_k", p.dst_k).rank(2).dtype({VKV_DTYPE_FP8_E4M3}).packed_from(1).written();
    q.num_rows = q.dst_k.shape[0];
    q.head_dim = q.dst_k.shape[1];
    q.dst_scale = check.tensor("dst_scale", p.dst_scale)
                      .rank(2)
                      .dtype({VKV_DTYPE_F32})
                      .dim(0, q.num_rows, "dst_k.shape[0]")
                      .packed_from(1)
                      .written();
    q.scales_per_row = q.dst_scale.shape[1];
    if (q.scales_per_row == 0 ? q.head_dim != 0 : q.head_dim % q.scales_per_row != 0 || q.head_dim == 0) {
      check.invalid("dst_scale.shape[1] is %lld, expected a divisor of dst_k.shape[1], which is %lld",
                    static_cast<long long>(q.scales_per_row), static_cast<long long>(q.head_dim));
    }
    q.kv_cache = indexer_cache(check, p.kv_cache, q.head_dim, q.scales_per_row);
    q.num_blocks = q.kv_cache.shape[0];
    q.block_size = q.kv_cache.shape[1];
    q.block_table = check.tensor("block_table", p.block_table).rank(2).dtype({VKV_DTYPE_I32}).packed_from(1);
    q.batch = q.block_table.shape[0];
    q.table_columns = q.block_table.shape[1];
    q.cu_seq_lens = check.tensor("cu_seq_lens", p.cu_seq_lens)
                        .rank(1)
                        .dtype({VKV_DTYPE_I32})
                        .dim(0, q.batch + 1, "block_table.shape[0] + 1");
    check.not_same("dst_k", q.dst_k, "kv_cache", q.kv_cache);
    check.not_same("dst_k", q.dst_k, "dst_scale", q.dst_scale);
    check.not_same("dst_scale", q.dst_scale, "kv_cache", q.kv_cache);
    return q;
  }
};

}  // namespace
}  // namespace vkv

vkv_status vkv_cp_gather_indexer_k_quant_cache(const vkv_context* ctx,
                                               const vkv_cp_gather_indexer_k_quant_cache_params* params,
                                               vkv_stream stream) {
  return vkv::enqueue<vkv::Op>(ctx, params, stream);
}

vkv_status vkv_cp_gather_indexer_k_quant_cache_supported(const vkv_context* ctx,
                                                         const vkv_cp_gather_indexer_k_quant_cache_params* params) {
  return vkv::supported<vkv::Op>(ctx, params);
}
