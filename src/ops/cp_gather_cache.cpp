// vkv_cp_gather_cache: entry points and validation.
#include "ops/cp_gather_cache.hpp"

#include "core/entry.hpp"
#include "ops/ragged.hpp"

namespace vkv {
namespace {

struct Op {
  static constexpr const char* name = "vkv_cp_gather_cache";
  using Params = vkv_cp_gather_cache_params;
  static constexpr uint32_t size_v1 = 568, flags = 0;
  static constexpr auto row = &Backend::cp_gather_cache;

  static CpGatherCache check(const Params& p, const Check& check) {
    CpGatherCache g{};
    g.src_cache = check.tensor("src_cache", p.src_cache).rank(3, VKV_MAX_DIMS).packed_from(2);
    if (g.src_cache.dtype == VKV_DTYPE_NVFP4) {
      check.invalid("src_cache.dtype is nvfp4, expected any other (blocks of nvfp4 hold no whole rows)");
    }
    g.dst = check.tensor("dst", p.dst)
                .rank(2, VKV_MAX_DIMS)
                .dtype_is(g.src_cache.dtype, "src_cache.dtype")
                .packed_from(1)
                .written();
    const int64_t entry = g.src_cache.elements(2);
    if (g.dst.elements(1) != entry) {
      check.invalid("dst has %lld elements a row, expected %lld (src_cache)", static_cast<long long>(g.dst.elements(1)),
                    static_cast<long long>(entry));
    }
    g.num_rows = g.dst.shape[0];
    g.entry_bytes = entry * element_size(g.dst.dtype);
    g.num_blocks = g.src_cache.shape[0];
    g.block_size = g.src_cache.shape[1];
    check_ragged(p, check, g);
    check.not_same("dst", g.dst, "src_cache", g.src_cache);
    return g;
  }
};

}  // namespace
}  // namespace vkv

vkv_status vkv_cp_gather_cache(const vkv_context* ctx, const vkv_cp_gather_cache_params* params, vkv_stream stream) {
  return vkv::enqueue<vkv::Op>(ctx, params, stream);
}

vkv_status vkv_cp_gather_cache_supported(const vkv_context* ctx, const vkv_cp_gather_cache_params* params) {
  return vkv::supported<vkv::Op>(ctx, params);
}
