// vkv_reshape_and_cache: entry points and validation.
#include "ops/reshape_and_cache.hpp"

#include "core/entry.hpp"
#include "ops/new_tokens.hpp"

namespace vkv {
namespace {

struct Op {
  static constexpr const char* name = "vkv_reshape_and_cache";
  using Params = vkv_reshape_and_cache_params;
  static constexpr uint32_t size_v1 = 792, flags = 0;
  static constexpr auto row = &Backend::reshape_and_cache;

  static ReshapeAndCache check(const Params& p, const Check& check) {
    ReshapeAndCache q{};
    Arg key = check_new_tokens(check, p, q);
    Arg key_cache = check.tensor("key_cache", p.key_cache);
    key_cache.rank(5).dtype({q.key.dtype, VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2});
    q.x = 16 / element_size(key_cache.get().dtype);
    key.dim_multiple_of(2, q.x, "x of key_cache: 16 / element bytes");
    q.key_cache = key_cache.dim(1, q.num_heads, "key.shape[1]")
                      .dim(2, q.head_dim / q.x, "head_dim / x")
                      .dim(4, q.x, "x: 16 / element bytes")
                      .packed_from(2)
                      .written();
    q.num_blocks = q.key_cache.shape[0];
    q.block_size = q.key_cache.shape[3];
    q.value_cache = check.tensor("value_cache", p.value_cache)
                        .rank(4)
                        .dtype_is(q.key_cache.dtype, "key_cache.dtype")
                        .dim(0, q.num_blocks, "key_cache.shape[0]")
                        .dim(1, q.num_heads, "key.shape[1]")
                        .dim(2, q.head_dim, "key.shape[2]")
                        .dim(3, q.block_size, "key_cache.shape[3]")
                        .packed_from(2)
                        .written();
    q.k_scale = check.scale("k_scale", p.k_scale, q.num_heads);
    q.v_scale = check.scale("v_scale", p.v_scale, q.num_heads);
    check_caches_apart(check, q);
    return q;
  }
};

}  // namespace
}  // namespace vkv

vkv_status vkv_reshape_and_cache(const vkv_context* ctx, const vkv_reshape_and_cache_params* params,
                                 vkv_stream stream) {
  return vkv::enqueue<vkv::Op>(ctx, params, stream);
}

vkv_status vkv_reshape_and_cache_supported(const vkv_context* ctx, const vkv_reshape_and_cache_params* params) {
  return vkv::supported<vkv::Op>(ctx, params);
}
