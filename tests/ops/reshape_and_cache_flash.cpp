// reshape_and_cache_flash against its reference, byte for byte over the whole caches; bad slots; refusals.
#include "cases/reshape_and_cache_flash.hpp"

#include <cmath>
#include <limits>

#include "ops/bad_slots.hpp"
#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/lazy_memory.hpp"
#include "support/reference/nvfp4.hpp"
#include "support/reference/reshape_and_cache_flash.hpp"
#include "support/refusal.hpp"

using cases::FlashLayout;
using cases::ReshapeAndCacheFlashProblem;
using cases::Scales;
using support::Device;
using support::Random;

namespace {

using Image = std::vector<uint8_t>;

// Every byte of both caches, guards and gaps included, as the reference leaves them.
std::vector<Image> expected(ReshapeAndCacheFlashProblem& problem) {
  reference::reshape_and_cache_flash(problem.key, problem.slots, problem.k_scale, problem.key_cache(), 0);
  reference::reshape_and_cache_flash(problem.value, problem.slots, problem.v_scale, problem.value_cache(),
                                     problem.value_plane(), problem.swizzled());
  std::vector<Image> images;
  for (const support::Array& cache : problem.caches) images.push_back(cache.image());
  return images;
}

int64_t wrong_bytes(ReshapeAndCacheFlashProblem& problem, const std::vector<Image>& want) {
  int64_t wrong = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    problem.caches[i].download();
    const Image& got = problem.caches[i].image();
    for (std::size_t k = 0; k < got.size(); ++k) wrong += got[k] != want[i][k];
  }
  return wrong;
}

void check(const Device& device, ReshapeAndCacheFlashProblem& problem) {
  const auto params = problem.params();
  VKV_CHECK_OK(vkv_reshape_and_cache_flash_supported(device.ctx, &params));
  VKV_CHECK_OK(vkv_reshape_and_cache_flash(device.ctx, &params, device.stream));
  support::synchronize(device);
  CHECK(wrong_bytes(problem, expected(problem)) == 0);
}

}  // namespace

TEST_CASE("reshape_and_cache_flash writes every byte of the reference and no other") {
  uint64_t stream = 0;
  for (const Device& device : support::devices()) {
    for (const auto& c : cases::reshape_and_cache_flash()) {
      CAPTURE(device.name, c.name, c.dtype, c.cache_dtype, c.tokens, c.heads, c.dim, static_cast<int>(c.layout),
              static_cast<int>(c.scales), c.block_size, support::process_seed());
      Random random(++stream);
      ReshapeAndCacheFlashProblem problem(device, c, random);
      check(device, problem);
      CHECK(support::take_report(device).count == 0);
    }
  }
}

TEST_CASE("reshape_and_cache_flash quantises alike with every set of vector units") {
  uint64_t stream = 1000;
  for (const Device& device : support::vector_unit_devices()) {
    for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_BF16, VKV_DTYPE_F32}) {
      for (vkv_dtype cache : {VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2}) {
        for (int64_t dim : {5, 77, 256}) {
          CAPTURE(device.name, dtype, cache, dim, support::process_seed());
          Random random(++stream);
          ReshapeAndCacheFlashProblem problem(device, {"", dtype, cache, 9, 4, dim, FlashLayout::hnd, Scales::per_head},
                                              random);
          check(device, problem);
        }
      }
    }
  }
}

TEST_CASE("reshape_and_cache_flash takes any scale") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();
  // Zero, negative, infinite, NaN, float32's smallest subnormal, smallest normal and largest, odd and power of two.
  const std::vector<double> scales = {0.0,      -0.0,     -0.03, kInfinity, -kInfinity, kNan,
                                      0x1p-149, 0x1p-126, 3e38,  0x1p127,   0.37,       0.25};
  const auto heads = static_cast<int64_t>(scales.size());
  for (const auto* list : {&support::devices(), &support::vector_unit_devices()}) {
    for (const Device& device : *list) {
      for (vkv_dtype cache : {VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2}) {
        CAPTURE(device.name, cache, support::process_seed());
        Random random(2000);
        ReshapeAndCacheFlashProblem problem(
            device, {"", VKV_DTYPE_F32, cache, 5, heads, 64, FlashLayout::nhd, Scales::per_head}, random);
        for (int64_t h = 0; h < heads; ++h) {
          problem.k_scale.set(h, scales[static_cast<std::size_t>(h)]);
          problem.v_scale.set(h, scales[static_cast<std::size_t>(heads - 1 - h)]);
          for (int64_t n = 0; n < 5; ++n) {
            problem.key.set({n, h, 0}, 0.0);
            problem.key.set({n, h, 1}, -0.0);
            problem.key.set({n, h, 2}, kInfinity);
            problem.key.set({n, h, 3}, kNan);
            for (int64_t d = 4; d < 32; ++d) problem.key.set({n, h, d}, random.normal());
          }
        }
        problem.k_scale.upload();
        problem.v_scale.upload();
        problem.key.upload();
        check(device, problem);
      }
    }
  }
}

TEST_CASE("reshape_and_cache_flash quantises every f16 and every bf16 to NVFP4, with any scale") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Device>& units = support::vector_unit_devices();
  std::vector<Device> devices = support::devices();
  devices.insert(devices.end(), units.begin(), units.end());
  for (const Device& device : devices) {
    for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_BF16}) {
      // With scale 1 the 6 that leads each key group makes its factor 1, unless the group holds a larger number: all
      // codes up to 6 are rounded as they are. Values are all codes in order: groups of one magnitude.
      Random random(2500);
      ReshapeAndCacheFlashProblem problem(device, {"", dtype, VKV_DTYPE_NVFP4, 18, 1, 4096}, random);
      uint64_t code = 0;
      for (int64_t i = 0; i < problem.key.size(); ++i) {
        if (i % 16 == 0) problem.key.set(i, 6.0);
        else problem.key.set_bits(i, code++ & 0xFFFF);
        problem.value.set_bits(i, static_cast<uint64_t>(i) & 0xFFFF);
      }
      problem.key.upload();
      problem.value.upload();
      problem.slots.fill_integers({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17});
      for (double scale : {1.0, 0.0137, 300.0}) {
        CAPTURE(device.name, dtype, scale);
        problem.k_scale.fill({scale});
        problem.v_scale.fill({scale});
        check(device, problem);
      }
    }
    for (double scale : {0.0, -0.0, -0.3, kInfinity, -kInfinity, kNan, 0x1p-149, 0x1p-126, 1e-30, 1e30, 3e38}) {
      CAPTURE(device.name, scale, support::process_seed());
      Random random(2600);
      ReshapeAndCacheFlashProblem problem(device, {"", VKV_DTYPE_BF16, VKV_DTYPE_NVFP4, 6, 3, 192}, random);
      problem.k_scale.fill({scale});
      problem.v_scale.fill({scale});
      for (int64_t i = 0; i < 32; ++i) problem.value.set(i, 0.0);
      problem.value.set(32, kInfinity);
      problem.value.set(64, kNan);
      problem.value.upload();
      check(device, problem);
    }
  }
}

TEST_CASE("reshape_and_cache_flash rounds to NVFP4 in the header's steps") {
  // Scales are chosen so that, but for a few units in the last place, all of a key group's elements lie midway between
  // two codes, and a value group's scale lies midway between two scales: any other order of steps shows.
  const std::vector<Device>& units = support::vector_unit_devices();
  std::vector<Device> devices = support::devices();
  devices.insert(devices.end(), units.begin(), units.end());
  for (const Device& device : devices) {
    Random random(2650);
    ReshapeAndCacheFlashProblem problem(device, {"", VKV_DTYPE_F16, VKV_DTYPE_NVFP4, 1, 1, 16}, random);
    problem.slots.fill_integers({0});
    const auto e4m3 = [](int64_t code) { return support::decode(VKV_DTYPE_FP8_E4M3, static_cast<uint64_t>(code)); };
    const auto near = [&](double x) {
      auto scale = static_cast<float>(x);
      for (int64_t steps = random.integer(-3, 3); steps != 0; steps += steps < 0 ? 1 : -1) {
        scale = std::nextafter(scale, steps < 0 ? 0.0f : 1e30f);
      }
      return static_cast<double>(scale);
    };
    for (int i = 0; i < 1500; ++i) {
      const double unit =
          std::ldexp(static_cast<double>(random.integer(1, 63)), static_cast<int>(random.integer(-4, 4)));
      const int64_t code = random.integer(16, 125);
      const double quarters[16] = {24, 1, 3, 5, 7, 10, 14, 20, -1, -3, -5, -7, -10, -14, -20, 0};
      for (int64_t k = 0; k < 16; ++k) {
        problem.key.set(k, unit * quarters[k]);
        problem.value.set(k, k == 0 ? unit * 24 : random.uniform(-24, 24) * unit);
      }
      problem.key.upload();
      problem.value.upload();
      problem.k_scale.fill({near(4 * unit / e4m3(code))});
      problem.v_scale.fill({near(4 * unit / ((e4m3(code) + e4m3(code + 1)) / 2))});
      CAPTURE(device.name, unit, code, support::process_seed());
      check(device, problem);
    }
  }
}

TEST_CASE("reshape_and_cache_flash stores NVFP4 near the numbers it is given") {
  for (const Device& device : support::devices()) {
    for (int32_t v_scales : {VKV_NVFP4_SCALES_LINEAR, VKV_NVFP4_SCALES_SWIZZLED}) {
      CAPTURE(device.name, v_scales, support::process_seed());
      Random random(2700);
      ReshapeAndCacheFlashProblem problem(
          device,
          {"", VKV_DTYPE_BF16, VKV_DTYPE_NVFP4, 20, 8, 128, FlashLayout::hnd, Scales::one, 8, 0, false, 0, v_scales},
          random);
      problem.value.fill_normal(random);
      problem.slots.fill_integers({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19});
      const auto params = problem.params();
      VKV_CHECK_OK(vkv_reshape_and_cache_flash(device.ctx, &params, device.stream));
      support::synchronize(device);
      problem.value_cache().download();
      const reference::Nvfp4Block layout(problem.value_cache(), problem.swizzled());
      std::vector<double> got, want;
      for (int64_t i = 0; i < problem.value.size(); ++i) {
        const int64_t token = i / (8 * 128), head = i / 128 % 8, element = i % 128;
        const uint8_t* block = problem.value_cache().base() + token / 8 * problem.value_cache().stride()[1];
        got.push_back(
            reference::nvfp4_read(block, reference::head_scale(problem.v_scale, 0), layout, token % 8, head, element));
        want.push_back(problem.value.at(i));
      }
      // 4 bits with a scale for 16 numbers: about 0.10. A wrong place for scales or nibbles gives 0.7 and more.
      const support::Difference difference = support::compare(got, want);
      CHECK(difference.same_specials);
      CHECK(difference.relative_l2 <= 0.15);
      CHECK(difference.relative_l2 >= 0.05);
    }
  }
}

TEST_CASE("reshape_and_cache_flash gives each NVFP4 scale a byte of its own") {
  constexpr uint8_t kNeverAScale = 0xFF;
  for (const Device& device : support::devices()) {
    for (int64_t dim = 64; dim <= 1024; dim += 64) {
      for (int64_t block_size : {4, 8, 20}) {
        for (FlashLayout layout : {FlashLayout::nhd, FlashLayout::hnd}) {
          CAPTURE(device.name, dim, block_size, static_cast<int>(layout), support::process_seed());
          Random random(2800);
          ReshapeAndCacheFlashProblem problem(device,
                                              {"", VKV_DTYPE_BF16, VKV_DTYPE_NVFP4, block_size, 2, dim, layout,
                                               Scales::one, block_size, 0, false, 0, VKV_NVFP4_SCALES_SWIZZLED},
                                              random);
          problem.value.fill_normal(random);
          for (int64_t n = 0; n < block_size; ++n) problem.slots.set_bits(n, static_cast<uint64_t>(n));
          problem.slots.upload();
          support::Array& cache = problem.value_cache();
          const int64_t data = 2 * block_size * dim / 2, scales = 2 * block_size * dim / 16;
          std::fill_n(cache.base(), data + scales, kNeverAScale);
          cache.upload();
          const auto params = problem.params();
          VKV_CHECK_OK(vkv_reshape_and_cache_flash(device.ctx, &params, device.stream));
          support::synchronize(device);
          cache.download();
          // As many scales as bytes: none left out means none written twice.
          CHECK(std::count(cache.base() + data, cache.base() + data + scales, kNeverAScale) == 0);
        }
      }
    }
  }
}

TEST_CASE("reshape_and_cache_flash skips and reports slots past the cache") {
  for (const Device& device : support::devices()) {
    for (vkv_dtype cache : {VKV_DTYPE_BF16, VKV_DTYPE_FP8_E4M3, VKV_DTYPE_NVFP4}) {
      CAPTURE(device.name, cache, support::process_seed());
      Random random(3000);
      ReshapeAndCacheFlashProblem problem(device, {"", VKV_DTYPE_BF16, cache, 300, 8, 64}, random);
      check_bad_slots(device, VKV_OP_RESHAPE_AND_CACHE_FLASH, problem.slots, problem.num_blocks * problem.c.block_size,
                      [&] { check(device, problem); });
    }
  }
}

TEST_CASE("reshape_and_cache_flash into a cache without blocks or without slots reports every token") {
  for (const Device& device : support::devices()) {
    for (int empty_dim : {0, 1}) {
      Random random(4000);
      ReshapeAndCacheFlashProblem problem(device, {"", VKV_DTYPE_BF16, VKV_DTYPE_BF16, 3, 2, 8}, random);
      problem.slots.fill_integers({0, -1, 5});
      auto params = problem.params();
      params.key_cache.shape[empty_dim] = params.value_cache.shape[empty_dim] = 0;
      VKV_CHECK_OK(vkv_reshape_and_cache_flash(device.ctx, &params, device.stream));
      const vkv_device_report report = support::take_report(device);
      CHECK(report.count == 2);
      CHECK(report.limit == 0);
    }
  }
}

TEST_CASE("reshape_and_cache_flash addresses tensors of more than 2^32 elements") {
  const Device& device = support::devices().front();
  REQUIRE(device.memory->is_host());
  // Two of each: blocks, tokens in a block, heads. Each stride is past another power of two.
  constexpr int64_t kBlock = (int64_t{1} << 33) + 8, kToken = (int64_t{1} << 32) + 24, kHead = (int64_t{1} << 31) + 40;
  constexpr int64_t kDim = 8, kExtent = kBlock + kToken + kHead + kDim;
  constexpr int64_t kInputExtent = 3 * kToken + kHead + kDim;
  const support::LazyMemory key(2 * kInputExtent), value(2 * kInputExtent), key_cache(2 * kExtent),
      value_cache(2 * kExtent);
  if (!key.mapped() || !value.mapped() || !key_cache.mapped() || !value_cache.mapped()) {
    WARN("this system gives no 120 GiB of address space");
    return;
  }
  const auto tensor = [](const support::LazyMemory& memory, std::vector<int64_t> shape, std::vector<int64_t> stride) {
    vkv_tensor t{memory.data(), VKV_DTYPE_BF16, static_cast<int32_t>(shape.size()), {}, {}};
    std::copy(shape.begin(), shape.end(), t.shape);
    std::copy(stride.begin(), stride.end(), t.stride);
    return t;
  };
  const auto at = [](const support::LazyMemory& memory, int64_t i) -> uint16_t& {
    return static_cast<uint16_t*>(memory.data())[i];
  };
  std::vector<int64_t> slots = {3, 0, 2, 1};
  vkv_reshape_and_cache_flash_params p = VKV_INIT(vkv_reshape_and_cache_flash_params);
  p.key = tensor(key, {4, 2, kDim}, {kToken, kHead, 1});
  p.value = tensor(value, {4, 2, kDim}, {kToken, kHead, 1});
  p.key_cache = tensor(key_cache, {2, 2, 2, kDim}, {kBlock, kToken, kHead, 1});
  p.value_cache = tensor(value_cache, {2, 2, 2, kDim}, {kBlock, kHead, kToken, 1});
  p.slot_mapping = {slots.data(), VKV_DTYPE_I64, 1, {4}, {1}};
  const auto number = [](int64_t n, int64_t h, int64_t d) { return static_cast<uint16_t>(1 + (n * 2 + h) * kDim + d); };
  for (int64_t n = 0; n < 4; ++n) {
    for (int64_t h = 0; h < 2; ++h) {
      for (int64_t d = 0; d < kDim; ++d) {
        at(key, n * kToken + h * kHead + d) = number(n, h, d);
        at(value, n * kToken + h * kHead + d) = static_cast<uint16_t>(1000 + number(n, h, d));
      }
    }
  }
  VKV_CHECK_OK(vkv_reshape_and_cache_flash(device.ctx, &p, device.stream));
  for (int64_t n = 0; n < 4; ++n) {
    const int64_t slot = slots[static_cast<std::size_t>(n)];
    for (int64_t h = 0; h < 2; ++h) {
      for (int64_t d = 0; d < kDim; ++d) {
        CAPTURE(n, h, d);
        CHECK(at(key_cache, slot / 2 * kBlock + slot % 2 * kToken + h * kHead + d) == number(n, h, d));
        CHECK(at(value_cache, slot / 2 * kBlock + slot % 2 * kHead + h * kToken + d) == 1000 + number(n, h, d));
      }
    }
  }
}

TEST_CASE("reshape_and_cache_flash refuses bad input and writes nothing") {
  const Device& device = support::devices().front();
  Random random(5000);
  ReshapeAndCacheFlashProblem problem(
      device, {"", VKV_DTYPE_BF16, VKV_DTYPE_BF16, 4, 2, 16, FlashLayout::nhd, Scales::per_head}, random);
  const std::vector<Image> before = {problem.caches[0].image(), problem.caches[1].image()};
  const auto good = problem.params();
  const auto refused = [&](auto change, const char* words, vkv_status status = VKV_ERROR_INVALID_ARGUMENT) {
    auto p = good;
    change(p);
    VKV_CHECK_REFUSED(vkv_reshape_and_cache_flash(device.ctx, &p, device.stream), status, words);
  };
  refused([](auto& p) { p.key = {}; }, "key is absent");
  refused([](auto& p) { p.value.data = nullptr; }, "value.data is null");
  refused([](auto& p) { p.slot_mapping.data = nullptr; }, "slot_mapping.data is null");
  refused([](auto& p) { p.slot_mapping.dtype = VKV_DTYPE_I32; }, "slot_mapping.dtype is i32, expected i64");
  refused([](auto& p) { p.slot_mapping.shape[0] = 5; }, "key.shape[0] is 4, expected at least 5");
  refused([](auto& p) { p.value.shape[0] = 3; }, "value.shape[0] is 3, expected at least 4");
  refused([](auto& p) { p.key.dtype = VKV_DTYPE_FP8_E4M3; }, "key.dtype is e4m3, expected f16 or bf16 or f32");
  refused([](auto& p) { p.value.dtype = VKV_DTYPE_F16; }, "value.dtype is f16, expected bf16");
  refused([](auto& p) { p.key.stride[2] = 2; }, "key.stride[2] is 2, expected 1");
  refused([](auto& p) { p.value.shape[1] = 1; }, "value.shape[1] is 1, expected 2");
  refused([](auto& p) { p.value.shape[2] = 8; }, "value.shape[2] is 8, expected 16");
  refused([](auto& p) { p.key_cache.dtype = VKV_DTYPE_F16; },
          "key_cache.dtype is f16, expected bf16 or e4m3 or e5m2 or nvfp4");
  refused([](auto& p) { p.value_cache.dtype = VKV_DTYPE_FP8_E4M3; }, "value_cache.dtype is e4m3, expected bf16");
  refused([](auto& p) { p.key_cache.ndim = 3; }, "key_cache.ndim is 3, expected 4");
  refused([](auto& p) { p.key_cache.shape[2] = 3; }, "key_cache.shape[2] is 3, expected 2");
  refused([](auto& p) { p.key_cache.shape[3] = 8; }, "key_cache.shape[3] is 8, expected 16");
  refused([](auto& p) { p.value_cache.shape[0] = 1; }, "value_cache.shape[0] is 1");
  refused([](auto& p) { p.value_cache.shape[1] = 1; }, "value_cache.shape[1] is 1");
  refused([](auto& p) { p.key_cache.stride[3] = 2; }, "key_cache.stride[3] is 2, expected 1");
  refused([](auto& p) { p.key_cache.stride[0] = 0; }, "key_cache.stride[0] is 0, but the tensor is written");
  refused([](auto& p) { p.value_cache.stride[2] = 0; }, "value_cache.stride[2] is 0, but the tensor is written");
  refused([](auto& p) { p.value_cache.data = p.key_cache.data; }, "the memory of key_cache");
  refused([](auto& p) { p.key_cache.data = p.value.data; }, "the memory of value");
  refused([](auto& p) { p.k_scale.shape[0] = 3; }, "k_scale.shape[0] is 3, expected 1 or 2");
  refused([](auto& p) { p.v_scale.dtype = VKV_DTYPE_BF16; }, "v_scale.dtype is bf16, expected f32");
  refused([](auto& p) { p.nvfp4_v_scales = 2; }, "nvfp4_v_scales is 2, expected 0 (key_cache.dtype is bf16)");
  refused([](auto& p) { p.nvfp4_v_scales = 3; }, "nvfp4_v_scales is 3, expected 0 to 2");
  refused([](auto& p) { p.reserved0 = 1; }, "reserved0 is 1");
  refused([](auto& p) { p.flags = 1; }, "flags is 0x1", VKV_ERROR_NOT_SUPPORTED);
  CHECK(wrong_bytes(problem, before) == 0);
  CHECK(support::take_report(device).count == 0);
}

TEST_CASE("reshape_and_cache_flash refuses what NVFP4 cannot hold") {
  const Device& device = support::devices().front();
  Random random(6000);
  const auto refused = [&](const cases::ReshapeAndCacheFlash& c, auto change, const char* words) {
    ReshapeAndCacheFlashProblem problem(device, c, random);
    std::vector<Image> before;
    for (const support::Array& cache : problem.caches) before.push_back(cache.image());
    auto p = problem.params();
    change(p);
    VKV_CHECK_REFUSED(vkv_reshape_and_cache_flash(device.ctx, &p, device.stream), VKV_ERROR_INVALID_ARGUMENT, words);
    CHECK(wrong_bytes(problem, before) == 0);
  };
  const auto as_is = [](auto&) {};
  const cases::ReshapeAndCacheFlash good = {"", VKV_DTYPE_BF16, VKV_DTYPE_NVFP4, 4, 2, 64};
  auto c = good;
  c.dtype = VKV_DTYPE_F32;
  refused(c, as_is, "key.dtype is f32, expected f16 or bf16 (key_cache.dtype is nvfp4)");
  c = good;
  c.dim = 40;
  refused(c, as_is, "key.shape[2] is 40, expected a multiple of 16 (key_cache.dtype is nvfp4)");
  c = good;
  c.layout = FlashLayout::packed;
  refused(c, as_is,
          "key_cache.stride[1] and [2] are 144 and 72, expected 72 and 36 (token-major) or 36 and 144 (head-major)");
  refused(
      good, [](auto& p) { p.value_cache.stride[1] = 80; }, "value_cache.stride[1] and [2] are 80 and 36");
  refused(
      good, [](auto& p) { p.key_cache.shape[3] = 64; },
      "key_cache.shape[3] is 64, expected 36 (head_dim / 2 + head_dim / 16)");
  c = good;
  c.scales = Scales::per_head;
  refused(c, as_is, "k_scale.shape[0] is 2, expected 1");
  c = good;
  c.nvfp4_v_scales = VKV_NVFP4_SCALES_SWIZZLED;
  c.dim = 80;
  refused(c, as_is, "key.shape[2] is 80, expected a multiple of 64 (nvfp4_v_scales is swizzled)");
  c.dim = 64;
  c.block_size = 6;
  refused(c, as_is, "key_cache.shape[1] is 6, expected a multiple of 4 (nvfp4_v_scales is swizzled)");
}
