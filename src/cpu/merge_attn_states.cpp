// merge_attn_states on the CPU: each row of each head belongs to one thread, which reads before it writes, so that
// outputs may be inputs.
#include <cmath>
#include <cstring>
#include <limits>

#include "cpu/context.hpp"
#include "cpu/ops.hpp"

namespace vkv::cpu {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class Merge {
 public:
  Merge(const CpuContext& cpu, const MergeAttnStates& m)
      : m_(m), mix_(cpu.rows.mix(m.prefix_output.dtype, m.output.dtype)),
        quantize_(m.output_scale.present() ? cpu.rows.quantize(m.prefix_output.dtype, m.output.dtype) : nullptr),
        scale_(m.output_scale.present() ? *m.output_scale.as<const float>() : 1.0f),
        row_bytes_(static_cast<std::size_t>(m.head_dim * element_size(m.output.dtype))) {}

  void row(int64_t token, int64_t head) const {
    const void* prefix = at(m_.prefix_output, token, head);
    const void* suffix = at(m_.suffix_output, token, head);
    void* out = at(m_.output, token, head);
    const float p = token < m_.num_merged ? lse(m_.prefix_lse, head, token) : -kInfinity;
    const float s = lse(m_.suffix_lse, head, token);
    float merged = p >= s ? p : s;
    if (p == -kInfinity && s == -kInfinity) {
      if (row_bytes_ != 0) std::memset(out, 0, row_bytes_);
    } else if (p == -kInfinity && !std::isnan(s)) {
      take(suffix, out);
    } else if (s == -kInfinity && !std::isnan(p)) {
      take(prefix, out);
    } else {
      // Of exp(p - m) and exp(s - m) one is 1. NaN passes through all of it.
      const float other = std::exp(-std::fabs(p - s)), total = 1.0f + other;
      const float large = 1.0f / total, small = other / total;
      mix_(prefix, suffix, out, m_.head_dim, p >= s ? large : small, p >= s ? small : large, scale_);
      merged += std::log(total);
    }
    if (m_.output_lse.present()) *element(m_.output_lse, head, token) = merged;
  }

 private:
  static char* at(const Tensor& t, int64_t token, int64_t head) {
    return t.as<char>() + (token * t.stride[0] + head * t.stride[1]) * element_size(t.dtype);
  }
  static float* element(const Tensor& t, int64_t head, int64_t token) {
    return t.as<float>() + head * t.stride[0] + token * t.stride[1];
  }
  // Either infinity marks an empty side.
  static float lse(const Tensor& t, int64_t head, int64_t token) {
    const float value = *element(t, head, token);
    return value == kInfinity ? -kInfinity : value;
  }
  // The output is one side alone.
  void take(const void* side, void* out) const {
    if (quantize_ != nullptr) quantize_(side, out, m_.head_dim, scale_);
    else if (row_bytes_ != 0 && side != out) std::memcpy(out, side, row_bytes_);
  }

  const MergeAttnStates& m_;
  const RowKernels::Mix mix_;
  const RowKernels::Quantize quantize_;  // null unless the output is e4m3
  const float scale_;
  const std::size_t row_bytes_;
};

}  // namespace

void run(const Context& ctx, const MergeAttnStates& m, vkv_stream) {
  const CpuContext& cpu = self(ctx);
  const Merge merge(cpu, m);
  const int64_t bytes = m.head_dim * (2 * element_size(m.prefix_output.dtype) + element_size(m.output.dtype));
  cpu.pool.for_ranges(m.num_tokens * m.num_heads, bytes + 12, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) merge.row(i / m.num_heads, i % m.num_heads);
  });
}

}  // namespace vkv::cpu
