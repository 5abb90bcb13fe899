// copy_blocks against its reference, byte for byte; bad block ids; refusals.
#include "cases/copy_blocks.hpp"

#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/lazy_memory.hpp"
#include "support/reference/copy_blocks.hpp"
#include "support/refusal.hpp"

using cases::CopyBlocksProblem;
using support::Device;
using support::Random;

namespace {

constexpr vkv_status kInvalid = VKV_ERROR_INVALID_ARGUMENT;

void check(const Device& device, CopyBlocksProblem& problem) {
  const auto params = problem.params();
  VKV_CHECK_OK(vkv_copy_blocks_supported(device.ctx, &params));
  VKV_CHECK_OK(vkv_copy_blocks(device.ctx, &params, device.stream));
  support::synchronize(device);
  for (support::Array& cache : problem.caches) {
    reference::copy_blocks(problem.mapping, cache);
    const auto want = cache.image();
    cache.download();
    CHECK(support::first_difference(cache.image(), want) == -1);
  }
}

}  // namespace

TEST_CASE("copy_blocks copies the mapped blocks of every cache and nothing else") {
  uint64_t stream = 0;
  for (const Device& device : support::devices()) {
    for (const cases::CopyBlocks& c : cases::copy_blocks()) {
      CAPTURE(device.name, c.name, support::process_seed());
      Random random(++stream);
      CopyBlocksProblem problem(device, c, random);
      check(device, problem);
      CHECK(support::take_report(device).count == 0);
    }
  }
}

TEST_CASE("copy_blocks skips and reports block ids outside the caches") {
  for (const Device& device : support::devices()) {
    for (const int64_t bad : {int64_t{-1}, int64_t{40}, int64_t{2147483647}, int64_t{1} << 62, INT64_MIN}) {
      for (const int64_t column : {0, 1}) {
        CAPTURE(device.name, bad, column, support::process_seed());
        Random random(100);
        CopyBlocksProblem problem(device, {"", 3, 40, 96, 15, true, 8}, random);
        problem.mapping.set_bits({6, column}, static_cast<uint64_t>(bad));
        problem.mapping.upload();
        check(device, problem);
        const vkv_device_report report = support::take_report(device);
        CHECK(report.count == 1);
        CHECK(report.op == VKV_OP_COPY_BLOCKS);
        CHECK(report.what == VKV_REPORT_BLOCK_ID);
        CHECK(report.index == 12 + column);
        CHECK(report.value == bad);
        CHECK(report.limit == 40);
      }
    }
  }
}

TEST_CASE("copy_blocks reaches past 2^32 bytes on the CPU") {
  const support::OwnedContext ctx = support::cpu_context(2);
  constexpr int64_t kFar = (int64_t{1} << 32) + 5;  // bytes from one block to the next
  const support::LazyMemory cache(2 * kFar + 4);
  if (!cache.mapped()) {
    WARN("this system gives no 8 GiB of address space");
    return;
  }
  int64_t address = reinterpret_cast<int64_t>(cache.data()), mapping[] = {1, 0, 1, 2};
  vkv_copy_blocks_params p = VKV_INIT(vkv_copy_blocks_params);
  p.key_caches = {&address, VKV_DTYPE_I64, 1, {1}, {1}};
  p.block_mapping = {mapping, VKV_DTYPE_I64, 2, {2, 2}, {2, 1}};
  p.num_blocks = 3;
  p.block_size_in_bytes = 4;
  p.block_stride_in_bytes = kFar;
  auto* bytes = static_cast<uint8_t*>(cache.data());
  bytes[kFar] = bytes[kFar + 3] = 7;
  VKV_CHECK_OK(vkv_copy_blocks(ctx.get(), &p, nullptr));
  for (int64_t block : {0, 2}) {
    CHECK(bytes[block * kFar] == 7);
    CHECK(bytes[block * kFar + 3] == 7);
  }
}

TEST_CASE("copy_blocks of caches without blocks skips and reports every pair") {
  for (const Device& device : support::devices()) {
    Random random(101);
    CopyBlocksProblem problem(device, {"", 2, 40, 96, 5}, random);
    auto params = problem.params();
    params.num_blocks = 0;
    VKV_CHECK_OK(vkv_copy_blocks(device.ctx, &params, device.stream));
    CHECK(support::take_report(device).count == 10);
    for (support::Array& cache : problem.caches) {
      const auto before = cache.image();
      cache.download();
      CHECK(support::first_difference(cache.image(), before) == -1);
    }
  }
}

TEST_CASE("copy_blocks refuses bad input and writes nothing") {
  const Device& device = support::devices().front();
  Random random(102);
  CopyBlocksProblem problem(device, {"", 3, 40, 96, 15}, random);
  const auto good = problem.params();
  const auto refused = [&](auto change, vkv_status status, const char* words) {
    auto p = good;
    change(p);
    VKV_CHECK_REFUSED(vkv_copy_blocks(device.ctx, &p, device.stream), status, words);
  };
  refused([](auto& p) { p.key_caches.data = nullptr; }, kInvalid, "key_caches.data is null");
  refused([](auto& p) { p.key_caches = {}; }, kInvalid, "key_caches is absent");
  refused([](auto& p) { p.value_caches.data = nullptr; }, kInvalid, "value_caches.data is null");
  refused([](auto& p) { p.block_mapping.data = nullptr; }, kInvalid, "block_mapping.data is null");
  refused([](auto& p) { p.value_caches.shape[0] = 2; }, kInvalid, "value_caches.shape[0] is 2, expected 3");
  refused([](auto& p) { p.key_caches.dtype = VKV_DTYPE_U8; }, kInvalid, "key_caches.dtype is u8, expected i64");
  refused([](auto& p) { p.block_mapping.dtype = VKV_DTYPE_I32; }, kInvalid, "block_mapping.dtype is i32, expected i64");
  refused([](auto& p) { p.block_mapping.shape[1] = 3; }, kInvalid, "block_mapping.shape[1] is 3, expected 2");
  refused([](auto& p) { p.num_blocks = -1; }, kInvalid, "num_blocks is -1, expected at least 0");
  refused([](auto& p) { p.num_blocks = INT64_MAX; }, kInvalid, "is more than 2^60 bytes");
  refused([](auto& p) { p.block_size_in_bytes = -1; }, kInvalid, "block_size_in_bytes is -1, expected at least 0");
  refused([](auto& p) { p.block_stride_in_bytes = 95; }, kInvalid, "block_stride_in_bytes is 95, expected at least 96");
  refused([](auto& p) { p.block_stride_in_bytes = -1; }, kInvalid, "block_stride_in_bytes is -1, expected at least 96");
  refused([](auto& p) { p.flags = 1; }, VKV_ERROR_NOT_SUPPORTED, "flags is 0x1");
  for (auto list : {&CopyBlocksProblem::key_caches, &CopyBlocksProblem::value_caches}) {
    const std::string name = list == &CopyBlocksProblem::key_caches ? "key_caches" : "value_caches";
    const uint64_t address = (problem.*list).bits(1);
    (problem.*list).set_bits(1, 0);
    (problem.*list).upload();
    refused([](auto&) {}, kInvalid, (name + "[1] is null").c_str());
    (problem.*list).set_bits(1, static_cast<uint64_t>(INT64_MAX) - 1000);
    (problem.*list).upload();
    refused([](auto&) {}, kInvalid, (name + "[1] is 0x7ffffffffffffc17, which is no address of 3840 bytes").c_str());
    (problem.*list).set_bits(1, address);
    (problem.*list).upload();
  }
  for (support::Array& cache : problem.caches) {
    const auto before = cache.image();
    cache.download();
    CHECK(support::first_difference(cache.image(), before) == -1);
  }

  auto p = good;
  p.key_caches.data = p.value_caches.data = p.block_mapping.data = nullptr;
  VKV_CHECK_OK(vkv_copy_blocks_supported(device.ctx, &p));
}
