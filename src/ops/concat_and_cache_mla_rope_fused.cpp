// vkv_concat_and_cache_mla_rope_fused: entry points and validation.
#include "ops/concat_and_cache_mla_rope_fused.hpp"

#include "core/entry.hpp"

namespace vkv {
namespace {

struct Op {
  static constexpr const char* name = "vkv_concat_and_cache_mla_rope_fused";
  using Params = vkv_concat_and_cache_mla_rope_fused_params;
  static constexpr uint32_t size_v1 = 912, flags = 0;
  static constexpr auto row = &Backend::concat_and_cache_mla_rope_fused;

  static ConcatAndCacheMlaRopeFused check(const Params& p, const Check& check) {
    ConcatAndCacheMlaRopeFused q{};
    check.zero("reserved0", p.reserved0);
    constexpr const char* kSlots = "slot_mapping.shape[0]";
    q.slot_mapping = check.tensor("slot_mapping", p.slot_mapping).rank(1).dtype({VKV_DTYPE_I64});
    q.num_tokens = q.slot_mapping.shape[0];
    q.positions =
        check.tensor("positions", p.positions).rank(1).dtype({VKV_DTYPE_I64}).dim_at_least(0, q.num_tokens, kSlots);
    q.q_pe = check.tensor("q_pe", p.q_pe)
                 .rank(3)
                 .dtype(kFloats)
                 .dim_at_least(0, q.num_tokens, kSlots)
                 .dim_multiple_of(2, 2, "its elements are rotated in pairs")
                 .packed_from(2)
                 .written();
    q.num_heads = q.q_pe.shape[1];
    q.rope_dim = q.q_pe.shape[2];
    q.k_pe = check.tensor("k_pe", p.k_pe)
                 .rank(2)
                 .dtype_is(q.q_pe.dtype, "q_pe.dtype")
                 .dim_at_least(0, q.num_tokens, kSlots)
                 .dim(1, q.rope_dim, "q_pe.shape[2]")
                 .packed_from(1)
                 .written();
    q.kv_c = check.tensor("kv_c", p.kv_c)
                 .rank(2)
                 .dtype_is(q.q_pe.dtype, "q_pe.dtype")
                 .dim_at_least(0, q.num_tokens, kSlots)
                 .packed_from(1);
    q.kv_lora_rank = q.kv_c.shape[1];
    q.cos_sin_cache = check.tensor("cos_sin_cache", p.cos_sin_cache)
                          .rank(2)
                          .dtype_is(q.q_pe.dtype, "q_pe.dtype")
                          .dim(1, q.rope_dim, "q_pe.shape[2]")
                          .packed_from(1);
    q.max_position = q.cos_sin_cache.shape[0];
    q.kv_cache = check.tensor("kv_cache", p.kv_cache)
                     .rank(3)
                     .dtype({q.q_pe.dtype, VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2})
                     .dim(2, q.kv_lora_rank + q.rope_dim, "kv_lora_rank + rope_dim")
                     .packed_from(2)
                     .written();
    q.num_blocks = q.kv_cache.shape[0];
    q.block_size = q.kv_cache.shape[1];
    q.kv_cache_scale = check.scale("kv_cache_scale", p.kv_cache_scale);
    q.neox = check.option("rope_style", p.rope_style, VKV_ROPE_NEOX, VKV_ROPE_GPTJ) == VKV_ROPE_NEOX;

    check.not_same("q_pe", q.q_pe, "k_pe", q.k_pe);
    check.not_same("q_pe", q.q_pe, "kv_c", q.kv_c);
    check.not_same("q_pe", q.q_pe, "cos_sin_cache", q.cos_sin_cache);
    check.not_same("k_pe", q.k_pe, "kv_c", q.kv_c);
    check.not_same("k_pe", q.k_pe, "cos_sin_cache", q.cos_sin_cache);
    check.not_same("kv_cache", q.kv_cache, "q_pe", q.q_pe);
    check.not_same("kv_cache", q.kv_cache, "k_pe", q.k_pe);
    check.not_same("kv_cache", q.kv_cache, "kv_c", q.kv_c);
    check.not_same("kv_cache", q.kv_cache, "cos_sin_cache", q.cos_sin_cache);
    return q;
  }
};

}  // namespace
}  // namespace vkv

vkv_status vkv_concat_and_cache_mla_rope_fused(const vkv_context* ctx,
                                               const vkv_concat_and_cache_mla_rope_fused_params* params,
                                               vkv_stream stream) {
  return vkv::enqueue<vkv::Op>(ctx, params, stream);
}

vkv_status vkv_concat_and_cache_mla_rope_fused_supported(const vkv_context* ctx,
                                                         const vkv_concat_and_cache_mla_rope_fused_params* params) {
  return vkv::supported<vkv::Op>(ctx, params);
}
