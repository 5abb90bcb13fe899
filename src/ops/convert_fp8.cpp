// vkv_convert_fp8: entry points and validation.
#include "ops/convert_fp8.hpp"

#include "core/entry.hpp"

namespace vkv {
namespace {

struct Op {
  static constexpr const char* name = "vkv_convert_fp8";
  using Params = vkv_convert_fp8_params;
  static constexpr uint32_t size_v1 = 240, flags = 0;
  static constexpr auto row = &Backend::convert_fp8;

  static float check_scale(double scale, const Check& check) {
    if (scale == 0) return 1.0f;
    constexpr double kTooLarge = 0x1.ffffffp127;  // rounds to infinity
    if (!(scale > 0 && scale < kTooLarge) || static_cast<float>(scale) == 0) {
      check.invalid("scale is %g, expected a number that is positive and finite as a float32, or 0 for 1", scale);
    }
    return static_cast<float>(scale);
  }

  static ConvertFp8 check(const Params& p, const Check& check) {
    ConvertFp8 q{};
    Arg dst = check.tensor("dst", p.dst);
    q.dst = dst.dtype({VKV_DTYPE_F16, VKV_DTYPE_BF16, VKV_DTYPE_F32, VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2}).written();
    Arg src = check.tensor("src", p.src);
    src.rank(q.dst.ndim);
    if (q.quantizes()) src.dtype(kFloats);
    else src.dtype({VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2});
    for (int i = 0; i < q.dst.ndim; ++i) src.dim(i, q.dst.shape[i], "the extent of dst");
    q.src = src;
    q.scale = check_scale(p.scale, check);
    check.not_same("dst", q.dst, "src", q.src);
    return q;
  }
};

}  // namespace
}  // namespace vkv

vkv_status vkv_convert_fp8(const vkv_context* ctx, const vkv_convert_fp8_params* params, vkv_stream stream) {
  return vkv::enqueue<vkv::Op>(ctx, params, stream);
}

vkv_status vkv_convert_fp8_supported(const vkv_context* ctx, const vkv_convert_fp8_params* params) {
  return vkv::supported<vkv::Op>(ctx, params);
}
