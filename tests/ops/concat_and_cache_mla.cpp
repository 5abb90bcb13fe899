// concat_and_cache_mla against its reference, byte for byte over the whole cache; exact scales; bad slots; refusals.
#include "cases/concat_and_cache_mla.hpp"

#include <cmath>
#include <cstring>
#include <limits>

#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/expect_report.hpp"
#include "support/reference/concat_and_cache_mla.hpp"
#include "support/refusal.hpp"

using cases::ConcatAndCacheMla;
using cases::ConcatAndCacheMlaProblem;
using support::Device;
using support::Random;

namespace {

// Runs the op and compares every byte of the cache's memory, guards and gaps included.
void check(const Device& device, ConcatAndCacheMlaProblem& problem) {
  const auto params = problem.params();
  VKV_CHECK_OK(vkv_concat_and_cache_mla_supported(device.ctx, &params));
  VKV_CHECK_OK(vkv_concat_and_cache_mla(device.ctx, &params, device.stream));
  support::synchronize(device);
  reference::concat_and_cache_mla(problem.kv_c, problem.k_pe, problem.slot_mapping, problem.scale, problem.scale_rule,
                                  problem.kv_cache);
  const std::vector<uint8_t> want = problem.kv_cache.image();
  problem.kv_cache.download();
  CHECK(support::first_difference(problem.kv_cache.image(), want) == -1);
}

// kv_c for fp8_ds_mla whose tiles have these codes, one each, as largest magnitudes among zeros.
ConcatAndCacheMlaProblem tiles_of(const Device& device, vkv_dtype dtype, const std::vector<uint64_t>& codes,
                                  int32_t rule, Random& random) {
  const auto tokens = static_cast<int64_t>(codes.size() + 3) / 4;
  ConcatAndCacheMlaProblem problem(device, {"", dtype, VKV_DTYPE_FP8_DS_MLA, tokens, 512, 64, tokens, 1, rule}, random);
  for (int64_t i = 0; i < problem.kv_c.size(); ++i) problem.kv_c.set_bits(i, 0);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const auto tile = static_cast<int64_t>(i);
    const uint64_t sign = random.bits() & 0x8000u;
    problem.kv_c.set_bits({tile / 4, tile % 4 * 128 + random.integer(0, 127)}, codes[i] | sign);
  }
  problem.kv_c.upload();
  for (int64_t n = 0; n < tokens; ++n) problem.slot_mapping.set_bits(n, static_cast<uint64_t>(n));
  problem.slot_mapping.upload();
  return problem;
}

// Positive finite codes of a 16-bit format at 2^e and at 1.75 * 2^e = 448 * 2^(e - 8), and their neighbours.
std::vector<uint64_t> codes_near_powers(int mantissa_bits) {
  const uint64_t unit = uint64_t{1} << mantissa_bits, three_quarters = unit / 4 * 3;
  std::vector<uint64_t> codes;
  for (uint64_t exponent = 0; exponent < 0x7FFF / unit; ++exponent) {
    for (uint64_t mantissa :
         {uint64_t{0}, uint64_t{1}, unit - 1, three_quarters - 1, three_quarters, three_quarters + 1}) {
      codes.push_back(exponent * unit + mantissa);
    }
  }
  // Subnormal powers of two and their neighbours.
  for (uint64_t power = 2; power < unit; power *= 2) codes.insert(codes.end(), {power - 1, power, power + 1});
  return codes;
}

}  // namespace

TEST_CASE("concat_and_cache_mla writes every byte of the reference and no other") {
  uint64_t stream = 0;
  for (const Device& device : support::devices()) {
    for (const ConcatAndCacheMla& c : cases::concat_and_cache_mla()) {
      CAPTURE(device.name, c.name, c.dtype, c.cache_dtype, c.tokens, c.rank, c.rope, c.scale_rule,
              support::process_seed());
      Random random(++stream);
      ConcatAndCacheMlaProblem problem(device, c, random);
      check(device, problem);
      CHECK(support::take_report(device).count == 0);
    }
  }
}

TEST_CASE("concat_and_cache_mla writes the same with every set of vector units") {
  uint64_t stream = 1000;
  for (const Device& device : support::vector_unit_devices()) {
    for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_BF16, VKV_DTYPE_F32}) {
      for (vkv_dtype cache : {VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2, VKV_DTYPE_FP8_DS_MLA}) {
        if (dtype == VKV_DTYPE_F32 && cache == VKV_DTYPE_FP8_DS_MLA) continue;
        CAPTURE(device.name, dtype, cache, support::process_seed());
        Random random(++stream);
        ConcatAndCacheMlaProblem problem(device, {"", dtype, cache, 3, 512, 64, 2, 5, 0, 0.7, 0, 1, 1}, random);
        check(device, problem);
      }
    }
  }
}

TEST_CASE("concat_and_cache_mla: fp8_ds_mla scales at and next to every power of two, and for tiles of zeros") {
  for (const Device& device : support::devices()) {
    for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_BF16}) {
      for (int32_t rule : {VKV_SCALE_RULE_POW2, VKV_SCALE_RULE_F32}) {
        CAPTURE(device.name, dtype, rule, support::process_seed());
        Random random(2000);
        auto problem = tiles_of(device, dtype, codes_near_powers(dtype == VKV_DTYPE_F16 ? 10 : 7), rule, random);
        check(device, problem);
      }
    }
  }
}

TEST_CASE("concat_and_cache_mla: an infinity in a tile makes the scale infinite") {
  for (const Device& device : support::devices()) {
    for (int32_t rule : {VKV_SCALE_RULE_POW2, VKV_SCALE_RULE_F32}) {
      Random random(2500);
      auto problem = tiles_of(device, VKV_DTYPE_BF16, {0x7F80, 0x7FC0}, rule, random);  // infinity, NaN
      problem.kv_c.set({0, 5}, -1.0);
      problem.kv_c.set({0, 133}, 3.0);
      problem.kv_c.upload();
      check(device, problem);
      const uint8_t* entry = problem.kv_cache.base();
      CHECK(entry[5] == 0x80);  // -1 / infinity
      float scales[2];
      std::memcpy(scales, entry + 512, sizeof scales);
      CHECK(std::isinf(scales[0]));
      CHECK(scales[1] == (rule == VKV_SCALE_RULE_POW2 ? 0x1p-7f : 3.0f / 448.0f));
    }
  }
}

TEST_CASE("concat_and_cache_mla takes any scale") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();
  for (const Device& device : support::devices()) {
    for (vkv_dtype cache : {VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2}) {
      for (double scale : {-0.0, -0.03, kInfinity, kNan, 0x1p-149, 0x1p127}) {
        CAPTURE(device.name, cache, scale, support::process_seed());
        Random random(3000);
        ConcatAndCacheMlaProblem problem(device, {"", VKV_DTYPE_F32, cache, 3, 64, 16, 2, 4, 0, 1.0}, random);
        problem.scale.fill({scale});
        check(device, problem);
      }
    }
  }
}

TEST_CASE("concat_and_cache_mla reads no scale where bits are copied or scales are stored") {
  const Device& device = support::devices().front();
  for (vkv_dtype cache : {VKV_DTYPE_BF16, VKV_DTYPE_FP8_DS_MLA}) {
    Random random(3500);
    ConcatAndCacheMlaProblem problem(device, {"", VKV_DTYPE_BF16, cache, 3}, random);
    problem.scale = support::Array(device, VKV_DTYPE_F32, {1});
    problem.scale.fill({std::numeric_limits<double>::quiet_NaN()});
    check(device, problem);
  }
}

TEST_CASE("concat_and_cache_mla skips and reports slots past the cache") {
  for (const Device& device : support::devices()) {
    for (vkv_dtype cache : {VKV_DTYPE_BF16, VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_DS_MLA}) {
      CAPTURE(device.name, cache, support::process_seed());
      Random random(4000);
      ConcatAndCacheMlaProblem problem(device, {"", VKV_DTYPE_BF16, cache, 36, 512, 64, 5, 8}, random);
      const int64_t capacity = 5 * 8;
      const std::vector<int64_t> planted = {capacity, capacity + 1, 2147483647, 4294967296, int64_t{1} << 62,
                                            std::numeric_limits<int64_t>::max()};
      for (std::size_t i = 0; i < planted.size(); ++i) {
        const auto token = static_cast<int64_t>(i) * 7;
        problem.slot_mapping.set_bits(token, static_cast<uint64_t>(planted[i]));
        problem.slot_mapping.upload();
        check(device, problem);
        support::expect_report(device, VKV_OP_CONCAT_AND_CACHE_MLA, VKV_REPORT_SLOT, 1, token, planted[i], capacity);
        problem.slot_mapping.set_bits(token, static_cast<uint64_t>(-7));  // leave room for the next
      }
      CHECK(support::take_report(device).count == 0);
    }
  }
}

TEST_CASE("concat_and_cache_mla into a cache without blocks or without slots reports every token") {
  for (const Device& device : support::devices()) {
    for (int empty_dim : {0, 1}) {
      Random random(5000);
      ConcatAndCacheMlaProblem problem(device, {"", VKV_DTYPE_BF16, VKV_DTYPE_BF16, 3, 8, 2}, random);
      problem.slot_mapping.fill_integers({0, -1, 5});
      auto params = problem.params();
      params.kv_cache.shape[empty_dim] = 0;
      VKV_CHECK_OK(vkv_concat_and_cache_mla(device.ctx, &params, device.stream));
      const vkv_device_report report = support::take_report(device);
      CHECK(report.count == 2);
      CHECK(report.limit == 0);
    }
  }
}

TEST_CASE("concat_and_cache_mla refuses bad input and writes nothing") {
  const Device& device = support::devices().front();
  Random random(6000);
  const auto refusals = [&](const ConcatAndCacheMla& c, auto list) {
    ConcatAndCacheMlaProblem problem(device, c, random);
    const std::vector<uint8_t> before = problem.kv_cache.image();
    const auto good = problem.params();
    list([&](auto change, const char* words, vkv_status status = VKV_ERROR_INVALID_ARGUMENT) {
      auto p = good;
      change(p);
      VKV_CHECK_REFUSED(vkv_concat_and_cache_mla(device.ctx, &p, device.stream), status, words);
    });
    problem.kv_cache.download();
    CHECK(support::first_difference(problem.kv_cache.image(), before) == -1);
  };
  refusals({"", VKV_DTYPE_BF16, VKV_DTYPE_FP8_E4M3, 4, 16, 8, 2, 4, 0, 1.0}, [](auto refused) {
    refused([](auto& p) { p.kv_c = {}; }, "kv_c is absent");
    refused([](auto& p) { p.k_pe.data = nullptr; }, "k_pe.data is null");
    refused([](auto& p) { p.slot_mapping.dtype = VKV_DTYPE_I32; }, "slot_mapping.dtype is i32, expected i64");
    refused([](auto& p) { p.slot_mapping.shape[0] = 5; }, "kv_c.shape[0] is 4, expected at least 5");
    refused([](auto& p) { p.k_pe.shape[0] = 3; }, "k_pe.shape[0] is 3, expected at least 4");
    refused([](auto& p) { p.kv_c.dtype = VKV_DTYPE_FP8_E4M3; }, "kv_c.dtype is e4m3, expected f16 or bf16 or f32");
    refused([](auto& p) { p.k_pe.dtype = VKV_DTYPE_F16; }, "k_pe.dtype is f16, expected bf16");
    refused([](auto& p) { p.kv_c.ndim = 1; }, "kv_c.ndim is 1, expected 2");
    refused([](auto& p) { p.kv_c.stride[1] = 2; }, "kv_c.stride[1] is 2, expected 1");
    refused([](auto& p) { p.kv_cache.dtype = VKV_DTYPE_F16; },
            "kv_cache.dtype is f16, expected bf16 or e4m3 or e5m2 or fp8_ds_mla");
    refused([](auto& p) { p.kv_cache.shape[2] = 23; }, "kv_cache.shape[2] is 23, expected 24");
    refused([](auto& p) { p.kv_cache.stride[2] = 2; }, "kv_cache.stride[2] is 2, expected 1");
    refused([](auto& p) { p.kv_cache.stride[1] = 0; }, "kv_cache.stride[1] is 0, but the tensor is written");
    refused([](auto& p) { p.kv_cache.data = p.kv_c.data; }, "the memory of kv_c");
    refused([](auto& p) { p.kv_cache.data = p.k_pe.data; }, "the memory of k_pe");
    refused([](auto& p) { p.scale.shape[0] = 2; }, "scale.shape[0] is 2, expected 1");
    refused([](auto& p) { p.scale.dtype = VKV_DTYPE_F16; }, "scale.dtype is f16, expected f32");
    refused([](auto& p) { p.scale_rule = 1; }, "scale_rule is 1, expected 0 (kv_cache.dtype is e4m3)");
    refused([](auto& p) { p.scale_rule = 3; }, "scale_rule is 3, expected 0 to 2");
    refused([](auto& p) { p.reserved0 = 1; }, "reserved0 is 1");
    refused([](auto& p) { p.flags = 1; }, "flags is 0x1", VKV_ERROR_NOT_SUPPORTED);
  });
  refusals({"", VKV_DTYPE_BF16, VKV_DTYPE_FP8_DS_MLA, 4}, [](auto refused) {
    refused([](auto& p) { p.kv_c.shape[1] = 256; },
            "kv_c.shape[1] is 256, expected 512 (kv_cache.dtype is fp8_ds_mla)");
    refused([](auto& p) { p.k_pe.shape[1] = 32; }, "k_pe.shape[1] is 32, expected 64");
    refused([](auto& p) { p.kv_cache.shape[2] = 576; }, "kv_cache.shape[2] is 576, expected 656");
    refused([](auto& p) { p.kv_c.dtype = p.k_pe.dtype = VKV_DTYPE_F32; }, "kv_c.dtype is f32, expected f16 or bf16");
    refused([](auto& p) { p.kv_cache.data = static_cast<char*>(p.kv_cache.data) + 2; },
            "expected alignment to 4 bytes");
    refused([](auto& p) { p.kv_cache.stride[0] += 2; }, "expected a multiple of 4 bytes");
    refused([](auto& p) { p.kv_cache.stride[1] += 1; }, "expected a multiple of 4 bytes");
  });
}
