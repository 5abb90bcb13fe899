#include "tools/verify.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "support/compare.hpp"
#include "support/number.hpp"

namespace tools {

double tolerance(vkv_dtype output) {
  switch (output) {
    case VKV_DTYPE_F16: return 2e-3;
    case VKV_DTYPE_BF16: return 8e-3;
    default: return 1e-5;
  }
}

std::vector<double> expected_row(const Content& content, int64_t request, int64_t length) {
  const ContentShape& s = content.shape();
  const int64_t group = s.heads / s.kv_heads, d = s.head_size;
  std::vector<double> query(static_cast<std::size_t>(s.heads * d)), cached(static_cast<std::size_t>(s.kv_heads * d));
  std::vector<double> out(query.size(), 0), weights(static_cast<std::size_t>(s.heads * length));
  content.query_values(request, length - 1, query.data());

  const double scale = 1 / std::sqrt(static_cast<double>(d));
  for (int64_t j = 0; j < length; ++j) {
    content.cached_values(Which::key, request, j, cached.data());
    for (int64_t h = 0; h < s.heads; ++h) {
      const double *q = &query[static_cast<std::size_t>(h * d)], *k = &cached[static_cast<std::size_t>(h / group * d)];
      double dot = 0;
      for (int64_t i = 0; i < d; ++i) dot += q[i] * k[i];
      weights[static_cast<std::size_t>(h * length + j)] = scale * dot;
    }
  }
  for (int64_t h = 0; h < s.heads; ++h) {
    double* z = &weights[static_cast<std::size_t>(h * length)];
    const double largest = *std::max_element(z, z + length);
    double sum = 0;
    for (int64_t j = 0; j < length; ++j) sum += z[j] = std::exp(z[j] - largest);
    for (int64_t j = 0; j < length; ++j) z[j] /= sum;
  }
  for (int64_t j = 0; j < length; ++j) {
    content.cached_values(Which::value, request, j, cached.data());
    for (int64_t h = 0; h < s.heads; ++h) {
      const double weight = weights[static_cast<std::size_t>(h * length + j)];
      const double* v = &cached[static_cast<std::size_t>(h / group * d)];
      for (int64_t i = 0; i < d; ++i) out[static_cast<std::size_t>(h * d + i)] += weight * v[i];
    }
  }
  return out;
}

double row_error(const Content& content, int64_t request, int64_t length, const void* output_row) {
  const ContentShape& s = content.shape();
  const std::vector<double> want = expected_row(content, request, length);
  const auto size = static_cast<std::size_t>(support::element_size(s.input));
  const auto* bytes = static_cast<const uint8_t*>(output_row);
  double worst = 0;
  for (int64_t h = 0; h < s.heads; ++h) {
    std::vector<double> got;
    for (int64_t i = 0; i < s.head_size; ++i, bytes += size) {
      uint64_t bits = 0;
      std::memcpy(&bits, bytes, size);
      got.push_back(support::decode(s.input, bits));
    }
    const auto first = want.begin() + h * s.head_size;
    const auto difference = support::compare(got, std::vector<double>(first, first + s.head_size));
    worst =
        std::max(worst, difference.same_specials ? difference.relative_l2 : std::numeric_limits<double>::infinity());
  }
  return worst;
}

int64_t wrong_bytes(const Content& content, const CacheLayout& layout, int64_t request, int64_t first, int64_t last,
                    const uint8_t* block) {
  const int64_t row = layout.data_bytes(), groups = layout.scale_bytes();
  std::vector<uint8_t> rows(static_cast<std::size_t>(layout.kv_heads * row));
  std::vector<uint8_t> scales(static_cast<std::size_t>(layout.kv_heads * groups));
  int64_t wrong = 0;
  for (const Which which : {Which::key, Which::value}) {
    for (int64_t token = first; token < last; ++token) {
      content.cached_bytes(which, request, token, rows.data(), scales.data());
      for (int64_t h = 0; h < layout.kv_heads; ++h) {
        for (int64_t i = 0; i < row; ++i) {
          wrong += block[layout.row_offset(which, token - first, h, i)] != rows[static_cast<std::size_t>(h * row + i)];
        }
        for (int64_t i = 0; i < groups; ++i) {
          wrong += block[layout.scale_offset(which, token - first, h, i)] !=
                   scales[static_cast<std::size_t>(h * groups + i)];
        }
      }
    }
  }
  return wrong;
}

}  // namespace tools
