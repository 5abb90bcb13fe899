// The replay's own checks: what they expect is right, and what is wrong they notice.
#include "tools/verify.hpp"

#include <cmath>
#include <cstring>
#include <set>

#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/number.hpp"
#include "support/random.hpp"
#include "support/reference/paged_attention.hpp"

using support::Random;
using tools::CacheLayout;
using tools::Content;
using tools::ContentShape;
using tools::Layout;
using tools::Which;

namespace {

constexpr vkv_dtype kCacheDtypes[] = {VKV_DTYPE_BF16,     VKV_DTYPE_F16,      VKV_DTYPE_F32,
                                      VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2, VKV_DTYPE_NVFP4};

ContentShape shape_of(vkv_dtype cache) {
  const bool number = cache == VKV_DTYPE_F16 || cache == VKV_DTYPE_F32;
  return {number ? cache : VKV_DTYPE_BF16, cache, 6, 2, 32};
}

// A row of numbers as elements of the output's dtype.
std::vector<uint8_t> elements(vkv_dtype dtype, const std::vector<double>& values) {
  const auto size = static_cast<std::size_t>(support::element_size(dtype));
  std::vector<uint8_t> bytes(values.size() * size);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const uint64_t bits = support::encode(dtype, values[i]);
    std::memcpy(&bytes[i * size], &bits, size);
  }
  return bytes;
}

// The inputs of a token, as numbers, from what is written to memory.
std::vector<double> inputs(const Content& content, Which which, int64_t request, int64_t token) {
  const ContentShape& s = content.shape();
  const auto size = static_cast<std::size_t>(support::element_size(s.input));
  const auto count = static_cast<std::size_t>((which == Which::query ? s.heads : s.kv_heads) * s.head_size);
  std::vector<uint8_t> bytes(count * size);
  content.write(which, request, token, bytes.data());
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) {
    uint64_t bits = 0;
    std::memcpy(&bits, &bytes[i * size], size);
    values.push_back(support::decode(s.input, bits));
  }
  return values;
}

std::vector<double> cached(const Content& content, Which which, int64_t request, int64_t token) {
  std::vector<double> values(static_cast<std::size_t>(content.shape().kv_heads * content.shape().head_size));
  content.cached_values(which, request, token, values.data());
  return values;
}

// A block as the cache should hold it: tokens [first, last) of a request in its first rows, noise elsewhere.
std::vector<uint8_t> block_of(const Content& content, const CacheLayout& layout, int64_t request, int64_t first,
                              int64_t last, Random& random) {
  std::vector<uint8_t> block(static_cast<std::size_t>(layout.block_bytes()));
  for (uint8_t& byte : block) byte = static_cast<uint8_t>(random.bits());
  std::vector<uint8_t> rows(static_cast<std::size_t>(layout.kv_heads * layout.data_bytes()));
  std::vector<uint8_t> scales(static_cast<std::size_t>(layout.kv_heads * layout.scale_bytes()));
  for (const Which which : {Which::key, Which::value}) {
    for (int64_t t = first; t < last; ++t) {
      content.cached_bytes(which, request, t, rows.data(), scales.data());
      for (int64_t i = 0; i < static_cast<int64_t>(rows.size()); ++i) {
        block[static_cast<std::size_t>(layout.row_offset(which, t - first, i / layout.data_bytes(),
                                                         i % layout.data_bytes()))] = rows[static_cast<std::size_t>(i)];
      }
      for (int64_t i = 0; i < static_cast<int64_t>(scales.size()); ++i) {
        block[static_cast<std::size_t>(
            layout.scale_offset(which, t - first, i / layout.scale_bytes(), i % layout.scale_bytes()))] =
            scales[static_cast<std::size_t>(i)];
      }
    }
  }
  return block;
}

}  // namespace

TEST_CASE("content: the same for the same counter, else another, and normally distributed") {
  const Content a(shape_of(VKV_DTYPE_BF16), 7), b(shape_of(VKV_DTYPE_BF16), 7), c(shape_of(VKV_DTYPE_BF16), 8);
  CHECK(inputs(a, Which::key, 3, 5) == inputs(b, Which::key, 3, 5));
  CHECK(inputs(a, Which::key, 3, 5) != inputs(c, Which::key, 3, 5));
  std::set<std::vector<double>> seen;
  double sum = 0, squares = 0, count = 0;
  for (const Which which : {Which::key, Which::value, Which::query}) {
    for (int64_t request = 0; request < 10; ++request) {
      for (int64_t token = 0; token < 20; ++token) {
        const auto values = inputs(a, which, request, token);
        seen.insert(values);
        for (double v : values) sum += v, squares += v * v, ++count;
      }
    }
  }
  CHECK(seen.size() == 600);
  // 4096 numbers were drawn: their mean is within 4 / sqrt(4096), their mean square within 4 * sqrt(2 / 4096).
  CHECK(std::fabs(sum / count) < 0.07);
  CHECK(std::fabs(squares / count - 1) < 0.1);
}

TEST_CASE("content: a cache returns its input within the format's step, and bytes and values agree") {
  for (const vkv_dtype dtype : kCacheDtypes) {
    CAPTURE(vkv_dtype_string(dtype));
    const Content content(shape_of(dtype), 1);
    const auto& s = content.shape();
    const CacheLayout layout{Layout::nhd, dtype, 4, s.kv_heads, s.head_size};
    const bool is_e4m3 = dtype == VKV_DTYPE_FP8_E4M3, is_e5m2 = dtype == VKV_DTYPE_FP8_E5M2;
    for (const Which which : {Which::key, Which::value}) {
      double error = 0, norm = 0;
      int64_t wrong = 0;
      for (int64_t token = 0; token < 50; ++token) {
        const auto in = inputs(content, which, 2, token), out = cached(content, which, 2, token);
        for (std::size_t i = 0; i < in.size(); ++i) error += (in[i] - out[i]) * (in[i] - out[i]), norm += in[i] * in[i];
        std::vector<uint8_t> rows(static_cast<std::size_t>(s.kv_heads * layout.data_bytes()));
        std::vector<uint8_t> scales(static_cast<std::size_t>(s.kv_heads * layout.scale_bytes()));
        content.cached_bytes(which, 2, token, rows.data(), scales.data());
        for (std::size_t i = 0; i < out.size(); ++i) {
          double value;
          if (dtype == VKV_DTYPE_NVFP4) {
            value = support::decode_e2m1(rows[i / 2] >> (i % 2 * 4) & 15u) *
                    support::decode(VKV_DTYPE_FP8_E4M3, scales[i / 16]) * static_cast<double>(content.scales(which)[0]);
          } else {
            const auto size = static_cast<std::size_t>(support::element_size(dtype));
            uint64_t bits = 0;
            std::memcpy(&bits, &rows[i * size], size);
            const auto& scale = content.scales(which);
            value = support::decode(dtype, bits) *
                    (scale.empty() ? 1 : static_cast<double>(scale[i / static_cast<std::size_t>(s.head_size)]));
          }
          wrong += std::fabs(value - out[i]) > 1e-15;  // a product of two scales, in either order
        }
      }
      CHECK(wrong == 0);
      // Half a step of the mantissa, relative: exact, 2^-4 (e4m3), 2^-3 (e5m2); e2m1 in blocks of 16 is at 0.1.
      const double allowed = dtype == s.input ? 0 : is_e4m3 ? 0.0625 : is_e5m2 ? 0.125 : 0.15;
      CHECK(std::sqrt(error / norm) <= allowed);
    }
  }
}

TEST_CASE("the row that is expected is the reference's") {
  const support::Device& device = support::devices().front();
  const support::Array absent;
  for (const vkv_dtype dtype : kCacheDtypes) {
    CAPTURE(vkv_dtype_string(dtype));
    const Content content(shape_of(dtype), 4);
    const ContentShape& s = content.shape();
    const int64_t length = 37, block_size = 8, blocks = 5;
    support::Array query(device, VKV_DTYPE_F32, {1, s.heads, s.head_size}), table(device, VKV_DTYPE_I32, {1, blocks}),
        lengths(device, VKV_DTYPE_I32, {1});
    query.fill(inputs(content, Which::query, 6, length - 1));
    table.fill_integers({3, 0, 4, 1, 2});
    lengths.fill_integers({length});
    std::vector<support::Array> caches;
    for (const Which which : {Which::key, Which::value}) {
      caches.emplace_back(device, VKV_DTYPE_F32, support::Shape{1, blocks, block_size, s.kv_heads, s.head_size});
      caches.back().fill_poison();
      for (int64_t t = 0; t < length; ++t) {
        const auto values = cached(content, which, 6, t);
        for (int64_t i = 0; i < s.kv_heads * s.head_size; ++i) {
          caches.back().set({0, table.integer(t / block_size), t % block_size, i / s.head_size, i % s.head_size},
                            values[static_cast<std::size_t>(i)]);
        }
      }
    }
    const auto want = reference::paged_attention(
        {query,  caches[0], caches[1], 0,      0, false, false, absent, absent, table, lengths, absent, absent,
         absent, absent,    absent,    absent, 0, 0,     0,     0,      0,      0,     0,       0,      0});
    // The arrays hold what a cache returns rounded to float32.
    const auto difference = support::compare(tools::expected_row(content, 6, length), want.out);
    CHECK(difference.same_specials);
    CHECK(difference.relative_l2 < 1e-6);
  }
}

TEST_CASE("a right row passes, a wrong one is noticed") {
  for (const vkv_dtype dtype : kCacheDtypes) {
    const Content content(shape_of(dtype), 3);
    const vkv_dtype output = content.shape().input;
    const double allowed = tools::tolerance(output);
    const auto error = [&](int64_t length, const std::vector<double>& row) {
      return tools::row_error(content, 5, length, elements(output, row).data());
    };
    for (const int64_t length : {1, 2, 17, 1000}) {
      CAPTURE(vkv_dtype_string(dtype), length);
      const auto right = tools::expected_row(content, 5, length);
      CHECK(error(length, right) < allowed / 2);
      CHECK(error(length, tools::expected_row(content, 4, length)) > 10 * allowed);  // another request's
      CHECK(error(length, tools::expected_row(content, 5, length + 1)) > allowed);   // another token's query
      CHECK(error(length, std::vector<double>(right.size(), 0)) > 10 * allowed);
      auto row = right;
      std::swap_ranges(row.begin(), row.begin() + 32, row.begin() + 160);  // heads of different KV heads exchanged
      CHECK(error(length, row) > 10 * allowed);
      row = right;
      row[100] = std::nan("");
      CHECK(std::isinf(error(length, row)));
      row = right;
      row[100] += 0.1 * std::sqrt(1.0 / static_cast<double>(length));  // one element of one head
      CHECK(error(length, row) > allowed);
    }
  }
}

TEST_CASE("a row that lacks one token of a thousand, or has one twice, is noticed") {
  // A token's weight is about 1 / length.
  for (const vkv_dtype dtype : {VKV_DTYPE_BF16, VKV_DTYPE_F16}) {
    const Content content(shape_of(dtype), 3);
    const int64_t length = 1000;
    auto row = tools::expected_row(content, 5, length);
    const auto lost = cached(content, Which::value, 5, 500), twice = cached(content, Which::value, 5, 501);
    for (std::size_t h = 0; h < 6; ++h) {
      for (std::size_t i = 0; i < 32; ++i) row[h * 32 + i] += (twice[h / 3 * 32 + i] - lost[h / 3 * 32 + i]) / length;
    }
    CHECK(tools::row_error(content, 5, length, elements(dtype, row).data()) > tools::tolerance(dtype));
  }
}

TEST_CASE("cache bytes: a right block passes, one wrong bit anywhere is noticed, rows past the end do not count") {
  Random random;
  for (const vkv_dtype dtype : kCacheDtypes) {
    for (const Layout layout_name : {Layout::nhd, Layout::hnd, Layout::x}) {
      if (dtype == VKV_DTYPE_NVFP4 && layout_name == Layout::x) continue;
      CAPTURE(vkv_dtype_string(dtype), static_cast<int>(layout_name), support::process_seed());
      const Content content(shape_of(dtype), 9);
      const CacheLayout layout{layout_name, dtype, 4, content.shape().kv_heads, content.shape().head_size};
      auto block = block_of(content, layout, 8, 12, 15, random);
      CHECK(tools::wrong_bytes(content, layout, 8, 12, 15, block.data()) == 0);
      CHECK(tools::wrong_bytes(content, layout, 8, 13, 16, block.data()) > layout.block_bytes() / 4);
      int64_t noticed = 0;
      for (uint8_t& byte : block) {
        const auto mask = static_cast<uint8_t>(1u << random.integer(0, 7));
        byte ^= mask;
        noticed += tools::wrong_bytes(content, layout, 8, 12, 15, block.data());
        byte ^= mask;
      }
      CHECK(noticed == layout.block_bytes() * 3 / 4);  // every byte of three rows of four
    }
  }
}
