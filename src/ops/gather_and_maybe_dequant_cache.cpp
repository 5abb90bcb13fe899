// vkv_gather_and_maybe_dequant_cache: entry points and validation.
#include "ops/gather_and_maybe_dequant_cache.hpp"

#include "core/entry.hpp"
#include "ops/ragged.hpp"

namespace vkv {
namespace {

struct Op {
  static constexpr const char* name = "vkv_gather_and_maybe_dequant_cache";
  using Params = vkv_gather_and_maybe_dequant_cache_params;
  static constexpr uint32_t size_v1 = 688, flags = 0;
  static constexpr auto row = &Backend::gather_and_maybe_dequant_cache;

  static GatherAndMaybeDequantCache check(const Params& p, const Check& check) {
    GatherAndMaybeDequantCache g{};
    check.at_least("num_tokens", p.num_tokens, 0);
    g.dst = check.tensor("dst", p.dst)
                .rank(2)
                .dtype(kFloats)
                .dim_at_least(0, p.num_tokens, "num_tokens")
                .packed_from(1)
                .written();
    g.num_tokens = p.num_tokens > 0 ? p.num_tokens : g.dst.shape[0];
    g.entry = g.dst.shape[1];
    g.src_cache = check.tensor("src_cache", p.src_cache)
                      .rank(3)
                      .dtype({g.dst.dtype, VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2})
                      .dim(2, g.entry, "dst.shape[1]")
                      .packed_from(2);
    g.num_blocks = g.src_cache.shape[0];
    g.block_size = g.src_cache.shape[1];
    check_ragged(p, check, g);
    g.scale = check.scale("scale", p.scale);
    check.not_same("dst", g.dst, "src_cache", g.src_cache);
    return g;
  }
};

}  // namespace
}  // namespace vkv

vkv_status vkv_gather_and_maybe_dequant_cache(const vkv_context* ctx,
                                              const vkv_gather_and_maybe_dequant_cache_params* params,
                                              vkv_stream stream) {
  return vkv::enqueue<vkv::Op>(ctx, params, stream);
}

vkv_status vkv_gather_and_maybe_dequant_cache_supported(const vkv_context* ctx,
                                                        const vkv_gather_and_maybe_dequant_cache_params* params) {
  return vkv::supported<vkv::Op>(ctx, params);
}
