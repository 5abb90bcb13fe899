// vkv_merge_attn_states: entry points and validation.
#include "ops/merge_attn_states.hpp"

#include "core/entry.hpp"

namespace vkv {
namespace {

// An output may be an input itself: the same elements in the same places, so that each is read before it is written.
void check_in_place(const Check& check, const char* out_name, const Tensor& out, const char* in_name,
                    const Tensor& in) {
  bool same = out.dtype == in.dtype;
  for (int i = 0; i < out.ndim; ++i) same = same && (out.shape[i] <= 1 || out.stride[i] == in.stride[i]);
  if (out.data == nullptr || out.data != in.data || out.elements() == 0 || same) return;
  check.invalid("%s.data is %p, the memory of %s, but its dtype or strides are not those of %s", out_name, out.data,
                in_name, in_name);
}

struct Op {
  static constexpr const char* name = "vkv_merge_attn_states";
  using Params = vkv_merge_attn_states_params;
  static constexpr uint32_t size_v1 = 800, flags = 0;
  static constexpr auto row = &Backend::merge_attn_states;

  static MergeAttnStates check(const Params& p, const Check& check) {
    MergeAttnStates m{};
    m.prefix_output = check.tensor("prefix_output", p.prefix_output).rank(3).dtype(kFloats).packed_from(2);
    const vkv_dtype dtype = m.prefix_output.dtype;
    m.num_tokens = m.prefix_output.shape[0];
    m.num_heads = m.prefix_output.shape[1];
    m.head_dim = m.prefix_output.shape[2];
    const auto like_prefix = [&](Arg arg) {
      return arg.rank(3)
          .dim(0, m.num_tokens, "prefix_output.shape[0]")
          .dim(1, m.num_heads, "prefix_output.shape[1]")
          .dim(2, m.head_dim, "prefix_output.shape[2]")
          .packed_from(2);
    };
    const auto lse = [&](Arg arg) {
      return arg.rank(2)
          .dtype({VKV_DTYPE_F32})
          .dim(0, m.num_heads, "prefix_output.shape[1]")
          .dim(1, m.num_tokens, "prefix_output.shape[0]");
    };
    m.suffix_output =
        like_prefix(check.tensor("suffix_output", p.suffix_output).dtype_is(dtype, "prefix_output.dtype"));
    m.output = like_prefix(check.tensor("output", p.output).dtype({dtype, VKV_DTYPE_FP8_E4M3})).written();
    m.prefix_lse = lse(check.tensor("prefix_lse", p.prefix_lse));
    m.suffix_lse = lse(check.tensor("suffix_lse", p.suffix_lse));
    m.output_lse = check.optional("output_lse", p.output_lse, [&](Arg& arg) { lse(arg).written(); });
    m.output_scale = check.scale("output_scale", p.output_scale);
    if (m.output_scale.present() != is_fp8(m.output.dtype)) {
      check.invalid("output_scale is %s, but output.dtype is %s (e4m3 needs a scale, others have none)",
                    m.output_scale.present() ? "given" : "absent", dtype_name(m.output.dtype));
    }
    check.at_least("num_tokens_without_context", p.num_tokens_without_context, 0);
    if (p.num_tokens_without_context > m.num_tokens) {
      check.invalid("num_tokens_without_context is %lld, expected at most %lld (prefix_output.shape[0])",
                    static_cast<long long>(p.num_tokens_without_context), static_cast<long long>(m.num_tokens));
    }
    m.num_merged = m.num_tokens - p.num_tokens_without_context;
    check_in_place(check, "output", m.output, "prefix_output", m.prefix_output);
    check_in_place(check, "output", m.output, "suffix_output", m.suffix_output);
    check_in_place(check, "output_lse", m.output_lse, "prefix_lse", m.prefix_lse);
    check_in_place(check, "output_lse", m.output_lse, "suffix_lse", m.suffix_lse);
    check.not_same("output", m.output, "output_lse", m.output_lse);
    check.not_same("output", m.output, "prefix_lse", m.prefix_lse);
    check.not_same("output", m.output, "suffix_lse", m.suffix_lse);
    check.not_same("output_lse", m.output_lse, "prefix_output", m.prefix_output);
    check.not_same("output_lse", m.output_lse, "suffix_output", m.suffix_output);
    return m;
  }
};

}  // namespace
}  // namespace vkv

vkv_status vkv_merge_attn_states(const vkv_context* ctx, const vkv_merge_attn_states_params* params,
                                 vkv_stream stream) {
  return vkv::enqueue<vkv::Op>(ctx, params, stream);
}

vkv_status vkv_merge_attn_states_supported(const vkv_context* ctx, const vkv_merge_attn_states_params* params) {
  return vkv::supported<vkv::Op>(ctx, params);
}
