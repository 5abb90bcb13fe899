#include "support/reference/merge_attn_states.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace reference {

Merged merge_attn_states(const support::Array& prefix_output, const support::Array& prefix_lse,
                         const support::Array& suffix_output, const support::Array& suffix_lse, int64_t merged_tokens) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();
  const int64_t tokens = suffix_output.dim(0), heads = suffix_output.dim(1), dim = suffix_output.dim(2);
  Merged out;
  out.lse.resize(static_cast<std::size_t>(heads * tokens));
  for (int64_t n = 0; n < tokens; ++n) {
    for (int64_t h = 0; h < heads; ++h) {
      const double p = n < merged_tokens ? prefix_lse.at({h, n}) : -kInfinity, s = suffix_lse.at({h, n});
      const bool has_prefix = !std::isinf(p), has_suffix = !std::isinf(s), nan = std::isnan(p) || std::isnan(s);
      const double m = has_prefix && has_suffix ? std::max(p, s) : has_prefix ? p : s;
      const double a = has_prefix ? std::exp(p - m) : 0, b = has_suffix ? std::exp(s - m) : 0;
      out.lse[static_cast<std::size_t>(h * tokens + n)] =
          nan ? kNan : has_prefix || has_suffix ? m + std::log(a + b) : -kInfinity;
      for (int64_t d = 0; d < dim; ++d) {
        double sum = 0;
        if (has_prefix) sum += a * prefix_output.at({n, h, d});
        if (has_suffix) sum += b * suffix_output.at({n, h, d});
        out.output.push_back(nan ? kNan : has_prefix || has_suffix ? sum / (a + b) : 0);
      }
    }
  }
  return out;
}

}  // namespace reference
