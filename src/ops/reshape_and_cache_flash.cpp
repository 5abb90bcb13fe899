// vkv_reshape_and_cache_flash: entry points and validation.
#include "ops/reshape_and_cache_flash.hpp"

#include "core/entry.hpp"
#include "ops/new_tokens.hpp"
#include "ops/nvfp4.hpp"

namespace vkv {
namespace {

struct Op {
  static constexpr const char* name = "vkv_reshape_and_cache_flash";
  using Params = vkv_reshape_and_cache_flash_params;
  static constexpr uint32_t size_v1 = 800, flags = 0;
  static constexpr auto row = &Backend::reshape_and_cache_flash;

  static ReshapeAndCacheFlash check(const Params& p, const Check& check) {
    ReshapeAndCacheFlash q{};
    check.zero("reserved0", p.reserved0);
    Arg key = check_new_tokens(check, p, q);
    Arg key_cache = check.tensor("key_cache", p.key_cache);
    key_cache.rank(4).dtype({q.key.dtype, VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2, VKV_DTYPE_NVFP4});
    const bool nvfp4 = key_cache.get().dtype == VKV_DTYPE_NVFP4;
    int64_t row = q.head_dim;
    const char* why_row = "key.shape[2]";
    if (nvfp4) {
      if (q.key.dtype == VKV_DTYPE_F32)
        check.invalid("key.dtype is f32, expected f16 or bf16 (key_cache.dtype is nvfp4)");
      key.dim_multiple_of(2, 16, "key_cache.dtype is nvfp4");
      row = q.head_dim / 2 + q.head_dim / 16;
      why_row = "head_dim / 2 + head_dim / 16";
    }
    q.key_cache = key_cache.dim(2, q.num_heads, "key.shape[1]").dim(3, row, why_row).packed_from(3).written();
    q.num_blocks = q.key_cache.shape[0];
    q.block_size = q.key_cache.shape[1];
    q.value_cache = check.tensor("value_cache", p.value_cache)
                        .rank(4)
                        .dtype_is(q.key_cache.dtype, "key_cache.dtype")
                        .dim(0, q.num_blocks, "key_cache.shape[0]")
                        .dim(1, q.block_size, "key_cache.shape[1]")
                        .dim(2, q.num_heads, "key.shape[1]")
                        .dim(3, row, why_row)
                        .packed_from(3)
                        .written();
    q.k_scale = check.scale("k_scale", p.k_scale, nvfp4 ? 0 : q.num_heads);
    q.v_scale = check.scale("v_scale", p.v_scale, nvfp4 ? 0 : q.num_heads);

    const int32_t v_scales =
        check.option("nvfp4_v_scales", p.nvfp4_v_scales, VKV_NVFP4_SCALES_LINEAR, VKV_NVFP4_SCALES_SWIZZLED);
    q.nvfp4_swizzled_v = v_scales == VKV_NVFP4_SCALES_SWIZZLED;
    if (!nvfp4 && p.nvfp4_v_scales != 0) {
      check.invalid("nvfp4_v_scales is %d, expected 0 (key_cache.dtype is %s)", p.nvfp4_v_scales,
                    dtype_name(q.key_cache.dtype));
    }
    if (nvfp4) {
      check_nvfp4_strides(check, "key_cache", q.key_cache);
      check_nvfp4_strides(check, "value_cache", q.value_cache);
    }
    if (q.nvfp4_swizzled_v) {
      key.dim_multiple_of(2, 64, "nvfp4_v_scales is swizzled");
      key_cache.dim_multiple_of(1, 4, "nvfp4_v_scales is swizzled");
    }
    check_caches_apart(check, q);
    return q;
  }
};

}  // namespace
}  // namespace vkv

vkv_status vkv_reshape_and_cache_flash(const vkv_context* ctx, const vkv_reshape_and_cache_flash_params* params,
                                       vkv_stream stream) {
  return vkv::enqueue<vkv::Op>(ctx, params, stream);
}

vkv_status vkv_reshape_and_cache_flash_supported(const vkv_context* ctx,
                                                 const vkv_reshape_and_cache_flash_params* params) {
  return vkv::supported<vkv::Op>(ctx, params);
}
