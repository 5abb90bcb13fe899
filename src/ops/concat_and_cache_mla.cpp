// vkv_concat_and_cache_mla: entry points and validation.
#include "ops/concat_and_cache_mla.hpp"

#include "core/entry.hpp"

namespace vkv {
namespace {

struct Op {
  static constexpr const char* name = "vkv_concat_and_cache_mla";
  using Params = vkv_concat_and_cache_mla_params;
  static constexpr uint32_t size_v1 = 576, flags = 0;
  static constexpr auto row = &Backend::concat_and_cache_mla;

  static ConcatAndCacheMla check(const Params& p, const Check& check) {
    ConcatAndCacheMla q{};
    check.zero("reserved0", p.reserved0);
    q.slot_mapping = check.tensor("slot_mapping", p.slot_mapping).rank(1).dtype({VKV_DTYPE_I64});
    q.num_tokens = q.slot_mapping.shape[0];
    Arg kv_c = check.tensor("kv_c", p.kv_c);
    q.kv_c = kv_c.rank(2).dtype(kFloats).dim_at_least(0, q.num_tokens, "slot_mapping.shape[0]").packed_from(1);
    Arg k_pe = check.tensor("k_pe", p.k_pe);
    q.k_pe = k_pe.rank(2)
                 .dtype_is(q.kv_c.dtype, "kv_c.dtype")
                 .dim_at_least(0, q.num_tokens, "slot_mapping.shape[0]")
                 .packed_from(1);
    q.kv_lora_rank = q.kv_c.shape[1];
    q.rope_dim = q.k_pe.shape[1];

    Arg cache = check.tensor("kv_cache", p.kv_cache);
    cache.rank(3).dtype({q.kv_c.dtype, VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2, VKV_DTYPE_FP8_DS_MLA});
    const int32_t rule = check.option("scale_rule", p.scale_rule, VKV_SCALE_RULE_POW2, VKV_SCALE_RULE_F32);
    q.scale_pow2 = rule == VKV_SCALE_RULE_POW2;
    if (cache.get().dtype == VKV_DTYPE_FP8_DS_MLA) {
      constexpr const char* kWhy = "kv_cache.dtype is fp8_ds_mla";
      if (q.kv_c.dtype == VKV_DTYPE_F32) check.invalid("kv_c.dtype is f32, expected f16 or bf16 (%s)", kWhy);
      kv_c.dim(1, DsMlaEntry::kRank, kWhy);
      k_pe.dim(1, DsMlaEntry::kRope, kWhy);
      cache.dim(2, DsMlaEntry::kBytes, kWhy).aligned(4);
    } else {
      if (p.scale_rule != 0) {
        check.invalid("scale_rule is %d, expected 0 (kv_cache.dtype is %s)", rule, dtype_name(cache.get().dtype));
      }
      cache.dim(2, q.kv_lora_rank + q.rope_dim, "kv_lora_rank + rope_dim");
    }
    q.kv_cache = cache.packed_from(2).written();
    q.num_blocks = q.kv_cache.shape[0];
    q.block_size = q.kv_cache.shape[1];
    q.scale = check.scale("scale", p.scale);
    check.not_same("kv_cache", q.kv_cache, "kv_c", q.kv_c);
    check.not_same("kv_cache", q.kv_cache, "k_pe", q.k_pe);
    return q;
  }
};

}  // namespace
}  // namespace vkv

vkv_status vkv_concat_and_cache_mla(const vkv_context* ctx, const vkv_concat_and_cache_mla_params* params,
                                    vkv_stream stream) {
  return vkv::enqueue<vkv::Op>(ctx, params, stream);
}

vkv_status vkv_concat_and_cache_mla_supported(const vkv_context* ctx, const vkv_concat_and_cache_mla_params* params) {
  return vkv::supported<vkv::Op>(ctx, params);
}
