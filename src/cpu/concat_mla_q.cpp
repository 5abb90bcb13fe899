// concat_mla_q on the CPU: two memcpy a head.
#include <cstring>

#include "cpu/context.hpp"
#include "cpu/ops.hpp"

namespace vkv::cpu {

void run(const Context& ctx, const ConcatMlaQ& q, vkv_stream) {
  const int64_t element = element_size(q.q_out.dtype);
  const auto row = [element](const Tensor& t, int64_t token, int64_t head) {
    return t.as<char>() + (token * t.stride[0] + head * t.stride[1]) * element;
  };
  const auto nope_bytes = static_cast<std::size_t>(q.nope_dim * element);
  const auto rope_bytes = static_cast<std::size_t>(q.rope_dim * element);
  self(ctx).pool.for_ranges(q.num_tokens * q.num_heads, static_cast<int64_t>(2 * (nope_bytes + rope_bytes)),
                            [&](int64_t begin, int64_t end) {
                              for (int64_t i = begin; i < end; ++i) {
                                const int64_t token = i / q.num_heads, head = i % q.num_heads;
                                char* out = row(q.q_out, token, head);
                                if (nope_bytes != 0) std::memcpy(out, row(q.ql_nope, token, head), nope_bytes);
                                if (rope_bytes != 0) std::memcpy(out + nope_bytes, row(q.q_pe, token, head), rope_bytes);
                              }
                            });
}

}  // namespace vkv::cpu
