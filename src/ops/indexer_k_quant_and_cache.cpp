// vkv_indexer_k_quant_and_cache: entry points and validation.
#include "ops/indexer_k_quant_and_cache.hpp"

#include "core/entry.hpp"
#include "ops/indexer_block.hpp"

namespace vkv {
namespace {

struct Op {
  static constexpr const char* name = "vkv_indexer_k_quant_and_cache";
  using Params = vkv_indexer_k_quant_and_cache_params;
  static constexpr uint32_t size_v1 = 352, flags = 0;
  static constexpr auto row = &Backend::indexer_k_quant_and_cache;

  static IndexerKQuantAndCache check(const Params& p, const Check& check) {
    constexpr int32_t kDefaultQuantBlock = 128;
    IndexerKQuantAndCache q{};
    q.slot_mapping = check.tensor("slot_mapping", p.slot_mapping).rank(1).dtype({VKV_DTYPE_I64});
    q.num_tokens = q.slot_mapping.shape[0];
    q.k = check.tensor("k", p.k)
              .rank(2)
              .dtype(kFloats)
              .dim_at_least(0, q.num_tokens, "slot_mapping.shape[0]")
              .packed_from(1);
    q.head_dim = q.k.shape[1];
    check.at_least("quant_block_size", p.quant_block_size, 0);
    q.quant_block_size = p.quant_block_size != 0 ? p.quant_block_size : kDefaultQuantBlock;
    if (q.head_dim % q.quant_block_size != 0) {
      check.invalid("quant_block_size is %lld, expected a divisor of k.shape[1], which is %lld",
                    static_cast<long long>(q.quant_block_size), static_cast<long long>(q.head_dim));
    }
    q.kv_cache = indexer_cache(check, p.kv_cache, q.head_dim, q.head_dim / q.quant_block_size).written();
    q.num_blocks = q.kv_cache.shape[0];
    q.block_size = q.kv_cache.shape[1];
    q.scale_pow2 =
        check.option("scale_rule", p.scale_rule, VKV_SCALE_RULE_POW2, VKV_SCALE_RULE_F32) == VKV_SCALE_RULE_POW2;
    check.not_same("kv_cache", q.kv_cache, "k", q.k);
    return q;
  }
};

}  // namespace
}  // namespace vkv

vkv_status vkv_indexer_k_quant_and_cache(const vkv_context* ctx, const vkv_indexer_k_quant_and_cache_params* params,
                                         vkv_stream stream) {
  return vkv::enqueue<vkv::Op>(ctx, params, stream);
}

vkv_status vkv_indexer_k_quant_and_cache_supported(const vkv_context* ctx,
                                                   const vkv_indexer_k_quant_and_cache_params* params) {
  return vkv::supported<vkv::Op>(ctx, params);
}
