// Benchmark cases of the MLA operations.
#include "support/reference/concat_mla_q.hpp"
#include "tools/bench.hpp"
#include "tools/bench_data.hpp"

namespace bench {

namespace {

using support::Device;
using support::Random;

struct ConcatMlaQ {
  struct Shape {
    int64_t tokens, heads, nope, rope;
  };
  ConcatMlaQ(const Device& on, const Shape& s, Random& random)
      : device(on),
        ql_nope(on, VKV_DTYPE_BF16, {s.tokens, s.heads, s.nope}),
        q_pe(on, VKV_DTYPE_BF16, {s.tokens, s.heads, s.rope}),
        q_out(on, VKV_DTYPE_BF16, {s.tokens, s.heads, s.nope + s.rope}),
        tokens(some_of(s.tokens, random)) {
    ql_nope.fill(random);
    q_pe.fill(random);
    q_out.zero();
    params.ql_nope = ql_nope.view();
    params.q_pe = q_pe.view();
    params.q_out = q_out.view();
  }

  vkv_status call(vkv_stream stream) const { return vkv_concat_mla_q(device.ctx, &params, stream); }

  std::string verify() const {
    require(call(device.stream));
    support::synchronize(device);
    return compare_bits("q_out", q_out.sample({tokens}), reference::concat_mla_q(ql_nope.sample({tokens}), q_pe.sample({tokens})));
  }

  Device device;
  Tensor ql_nope, q_pe, q_out;
  Pick tokens;
  vkv_concat_mla_q_params params = VKV_INIT(vkv_concat_mla_q_params);
};

}  // namespace

void add_mla_cases(Cases& cases) {
  for (const int64_t heads : {16, 128}) {
    for (const int64_t tokens : {1, 128, 1024, 8192}) {
      const int64_t bytes = tokens * heads * (512 + 64) * 2;
      cases.push_back({"concat_mla_q", "concat_mla_q", std::to_string(heads) + " heads", "T=" + std::to_string(tokens), Limit::copy,
                       bytes, bytes, 2 * bytes, maker<ConcatMlaQ>(ConcatMlaQ::Shape{tokens, heads, 512, 64})});
    }
  }
}

}  // namespace bench
