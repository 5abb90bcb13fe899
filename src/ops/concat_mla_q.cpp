// vkv_concat_mla_q: entry points and validation.
#include "ops/concat_mla_q.hpp"

#include "core/entry.hpp"

namespace vkv {
namespace {

struct Op {
  static constexpr const char* name = "vkv_concat_mla_q";
  using Params = vkv_concat_mla_q_params;
  static constexpr uint32_t size_v1 = 344, flags = 0;
  static constexpr auto row = &Backend::concat_mla_q;

  static ConcatMlaQ check(const Params& p, const Check& check) {
    ConcatMlaQ q{};
    q.ql_nope = check.tensor("ql_nope", p.ql_nope).rank(3).dtype(kFloats).packed_from(2);
    q.num_tokens = q.ql_nope.shape[0];
    q.num_heads = q.ql_nope.shape[1];
    q.nope_dim = q.ql_nope.shape[2];
    q.q_pe = check.tensor("q_pe", p.q_pe)
                 .rank(3)
                 .dtype_is(q.ql_nope.dtype, "ql_nope.dtype")
                 .dim(0, q.num_tokens, "ql_nope.shape[0]")
                 .dim(1, q.num_heads, "ql_nope.shape[1]")
                 .packed_from(2);
    q.rope_dim = q.q_pe.shape[2];
    q.q_out = check.tensor("q_out", p.q_out)
                  .rank(3)
                  .dtype_is(q.ql_nope.dtype, "ql_nope.dtype")
                  .dim(0, q.num_tokens, "ql_nope.shape[0]")
                  .dim(1, q.num_heads, "ql_nope.shape[1]")
                  .dim(2, q.nope_dim + q.rope_dim, "nope_dim + rope_dim")
                  .packed_from(2)
                  .written();
    check.not_same("q_out", q.q_out, "ql_nope", q.ql_nope);
    check.not_same("q_out", q.q_out, "q_pe", q.q_pe);
    return q;
  }
};

}  // namespace
}  // namespace vkv

vkv_status vkv_concat_mla_q(const vkv_context* ctx, const vkv_concat_mla_q_params* params, vkv_stream stream) {
  return vkv::enqueue<vkv::Op>(ctx, params, stream);
}

vkv_status vkv_concat_mla_q_supported(const vkv_context* ctx, const vkv_concat_mla_q_params* params) {
  return vkv::supported<vkv::Op>(ctx, params);
}
