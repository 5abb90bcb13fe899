// reshape_and_cache against its reference, byte for byte over the whole caches; bad slots; refusals.
#include "cases/reshape_and_cache.hpp"

#include "ops/bad_slots.hpp"
#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/reference/reshape_and_cache.hpp"
#include "support/refusal.hpp"

using cases::PackedLayout;
using cases::ReshapeAndCacheProblem;
using cases::Scales;
using support::Device;
using support::Random;

namespace {

void check_image(support::Array& cache) {
  const std::vector<uint8_t> want = cache.image();
  cache.download();
  CHECK(support::first_difference(cache.image(), want) == -1);
}

void check(const Device& device, ReshapeAndCacheProblem& problem) {
  const auto params = problem.params();
  VKV_CHECK_OK(vkv_reshape_and_cache_supported(device.ctx, &params));
  VKV_CHECK_OK(vkv_reshape_and_cache(device.ctx, &params, device.stream));
  support::synchronize(device);
  reference::reshape_and_cache_keys(problem.key, problem.slots, problem.k_scale, problem.key_cache);
  reference::reshape_and_cache_values(problem.value, problem.slots, problem.v_scale, problem.value_cache);
  check_image(problem.key_cache);
  check_image(problem.value_cache);
}

}  // namespace

TEST_CASE("reshape_and_cache writes every byte of the reference and no other") {
  uint64_t stream = 0;
  for (const Device& device : support::devices()) {
    for (const auto& c : cases::reshape_and_cache()) {
      CAPTURE(device.name, c.name, c.dtype, c.cache_dtype, c.tokens, c.heads, c.dim, static_cast<int>(c.layout),
              static_cast<int>(c.scales), c.block_size, support::process_seed());
      Random random(++stream);
      ReshapeAndCacheProblem problem(device, c, random);
      check(device, problem);
      CHECK(support::take_report(device).count == 0);
    }
  }
}

TEST_CASE("reshape_and_cache writes alike with every set of vector units") {
  uint64_t stream = 1000;
  for (const Device& device : support::vector_unit_devices()) {
    for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_F32}) {
      for (vkv_dtype cache : {dtype, vkv_dtype{VKV_DTYPE_FP8_E4M3}, vkv_dtype{VKV_DTYPE_FP8_E5M2}}) {
        for (int64_t dim : {16, 80, 208}) {
          CAPTURE(device.name, dtype, cache, dim, support::process_seed());
          Random random(++stream);
          ReshapeAndCacheProblem problem(
              device, {"", dtype, cache, 60, 2, dim, PackedLayout::apart, Scales::per_head, 24, true}, random);
          check(device, problem);
        }
      }
    }
  }
}

TEST_CASE("reshape_and_cache takes any scale") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> scales = {0.0, -0.0, -0.03, kInfinity, kNan, 0x1p-149, 3e38, 0.25};
  const auto heads = static_cast<int64_t>(scales.size());
  for (const Device& device : support::devices()) {
    for (vkv_dtype cache : {VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2}) {
      CAPTURE(device.name, cache, support::process_seed());
      Random random(2000);
      ReshapeAndCacheProblem problem(
          device, {"", VKV_DTYPE_BF16, cache, 5, heads, 64, PackedLayout::compact, Scales::per_head}, random);
      problem.k_scale.fill(scales);
      problem.v_scale.fill({scales.rbegin(), scales.rend()});
      check(device, problem);
    }
  }
}

TEST_CASE("reshape_and_cache skips and reports slots past the cache") {
  for (const Device& device : support::devices()) {
    for (vkv_dtype cache : {VKV_DTYPE_BF16, VKV_DTYPE_FP8_E4M3}) {
      CAPTURE(device.name, cache, support::process_seed());
      Random random(3000);
      ReshapeAndCacheProblem problem(
          device, {"", VKV_DTYPE_BF16, cache, 300, 8, 64, PackedLayout::compact, Scales::one, 16, true}, random);
      check_bad_slots(device, VKV_OP_RESHAPE_AND_CACHE, problem.slots, problem.key_cache.dim(0) * 16,
                      [&] { check(device, problem); });
    }
  }
}

TEST_CASE("reshape_and_cache into a cache without blocks or without slots reports every token") {
  for (const Device& device : support::devices()) {
    for (bool no_blocks : {true, false}) {
      Random random(4000);
      ReshapeAndCacheProblem problem(device, {"", VKV_DTYPE_BF16, VKV_DTYPE_BF16, 3, 2, 8}, random);
      problem.slots.fill_integers({0, -1, 5});
      auto params = problem.params();
      params.key_cache.shape[no_blocks ? 0 : 3] = params.value_cache.shape[no_blocks ? 0 : 3] = 0;
      VKV_CHECK_OK(vkv_reshape_and_cache(device.ctx, &params, device.stream));
      const vkv_device_report report = support::take_report(device);
      CHECK(report.count == 2);
      CHECK(report.limit == 0);
    }
  }
}

TEST_CASE("reshape_and_cache refuses bad input and writes nothing") {
  const Device& device = support::devices().front();
  Random random(5000);
  ReshapeAndCacheProblem problem(
      device, {"", VKV_DTYPE_BF16, VKV_DTYPE_BF16, 4, 2, 16, PackedLayout::compact, Scales::per_head}, random);
  const auto good = problem.params();
  const auto refused = [&](auto change, const char* words, vkv_status status = VKV_ERROR_INVALID_ARGUMENT) {
    auto p = good;
    change(p);
    VKV_CHECK_REFUSED(vkv_reshape_and_cache(device.ctx, &p, device.stream), status, words);
  };
  refused([](auto& p) { p.key = {}; }, "key is absent");
  refused([](auto& p) { p.value.data = nullptr; }, "value.data is null");
  refused([](auto& p) { p.slot_mapping.ndim = 2; }, "slot_mapping.ndim is 2, expected 1");
  refused([](auto& p) { p.slot_mapping.shape[0] = 5; }, "key.shape[0] is 4, expected at least 5");
  refused([](auto& p) { p.value.shape[1] = 3; }, "value.shape[1] is 3, expected 2");
  refused([](auto& p) { p.key.shape[2] = p.value.shape[2] = 12; },
          "key.shape[2] is 12, expected a multiple of 8 (x of key_cache");
  refused([](auto& p) { p.key_cache.dtype = VKV_DTYPE_F16; }, "key_cache.dtype is f16, expected bf16 or e4m3 or e5m2");
  refused([](auto& p) { p.key_cache.dtype = VKV_DTYPE_NVFP4; },
          "key_cache.dtype is nvfp4, expected bf16 or e4m3 or e5m2");
  refused([](auto& p) { p.key_cache.dtype = VKV_DTYPE_FP8_E4M3; },
          "key_cache.shape[2] is 2, expected 1 (head_dim / x)");
  refused([](auto& p) { p.value_cache.dtype = VKV_DTYPE_FP8_E4M3; }, "value_cache.dtype is e4m3, expected bf16");
  refused([](auto& p) { p.key_cache.ndim = 4; }, "key_cache.ndim is 4, expected 5");
  refused([](auto& p) { p.key_cache.shape[1] = 3; }, "key_cache.shape[1] is 3, expected 2");
  refused([](auto& p) { p.key_cache.shape[4] = 4; }, "key_cache.shape[4] is 4, expected 8 (x: 16 / element bytes)");
  refused([](auto& p) { p.key_cache.stride[3] = 9; }, "key_cache.stride[3] is 9, expected 8");
  refused([](auto& p) { p.key_cache.stride[0] = 0; }, "key_cache.stride[0] is 0, but the tensor is written");
  refused([](auto& p) { p.value_cache.shape[0] = 1; }, "value_cache.shape[0] is 1");
  refused([](auto& p) { p.value_cache.shape[2] = 8; }, "value_cache.shape[2] is 8, expected 16");
  refused([](auto& p) { p.value_cache.shape[3] = 8; }, "value_cache.shape[3] is 8, expected 16");
  refused([](auto& p) { p.value_cache.stride[2] = 20; }, "value_cache.stride[2] is 20, expected 16");
  refused([](auto& p) { p.value_cache.data = p.key_cache.data; }, "the memory of key_cache");
  refused([](auto& p) { p.v_scale.shape[0] = 3; }, "v_scale.shape[0] is 3, expected 1 or 2");
  refused([](auto& p) { p.flags = 1; }, "flags is 0x1", VKV_ERROR_NOT_SUPPORTED);
  check_image(problem.key_cache);
  check_image(problem.value_cache);
  CHECK(support::take_report(device).count == 0);
}
