// swap_blocks_batch against its reference, byte for byte; refusals, above all of addresses and sizes, with nothing
// written.
#include "cases/swap_blocks_batch.hpp"

#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/reference/swap_blocks_batch.hpp"
#include "support/refusal.hpp"

using cases::SwapBlocksBatchProblem;
using support::Device;
using support::Random;

namespace {
constexpr vkv_status kInvalid = VKV_ERROR_INVALID_ARGUMENT;
}

TEST_CASE("swap_blocks_batch does every copy and nothing else") {
  uint64_t stream = 0;
  for (const Device& device : support::devices()) {
    for (const cases::SwapBlocksBatch& c : cases::swap_blocks_batch()) {
      CAPTURE(device.name, c.name, support::process_seed());
      Random random(++stream);
      SwapBlocksBatchProblem problem(device, c, random);
      const auto params = problem.params();
      VKV_CHECK_OK(vkv_swap_blocks_batch_supported(device.ctx, &params));
      VKV_CHECK_OK(vkv_swap_blocks_batch(device.ctx, &params, device.stream));
      support::synchronize(device);
      reference::swap_blocks_batch(problem.src, problem.src_ptrs, problem.dst_ptrs, problem.sizes, problem.dst);
      const auto want = problem.dst.image();
      problem.dst.download();
      CHECK(support::first_difference(problem.dst.image(), want) == -1);
    }
  }
}

TEST_CASE("swap_blocks_batch names the first bad entry and copies nothing") {
  struct Bad {
    support::Array SwapBlocksBatchProblem::*list;
    int64_t value;
    const char* words;
  };
  const std::vector<Bad> all = {
      {&SwapBlocksBatchProblem::sizes, -1, "sizes[5] is -1, expected 0 or more"},
      {&SwapBlocksBatchProblem::sizes, INT64_MIN, "sizes[5] is -9223372036854775808"},
      {&SwapBlocksBatchProblem::sizes, INT64_MAX, "src_ptrs[5] is 0x"},
      {&SwapBlocksBatchProblem::src_ptrs, 0, "src_ptrs[5] is null"},
      {&SwapBlocksBatchProblem::dst_ptrs, 0, "dst_ptrs[5] is null"},
      {&SwapBlocksBatchProblem::src_ptrs, -64, "src_ptrs[5] is 0xffffffffffffffc0, which is no address of 32 bytes"},
      {&SwapBlocksBatchProblem::dst_ptrs, INT64_MAX - 31, "dst_ptrs[5] is 0x7fffffffffffffe0, which is no address of"},
  };
  for (const Device& device : support::devices()) {
    for (const Bad& bad : all) {
      CAPTURE(device.name, bad.words);
      Random random(100);
      SwapBlocksBatchProblem problem(device, {"", 9, 32, 32}, random);
      for (int64_t row : {5, 7}) (problem.*bad.list).set_bits(row, static_cast<uint64_t>(bad.value));
      (problem.*bad.list).upload();
      const auto before = problem.dst.image();
      const auto params = problem.params();
      VKV_CHECK_REFUSED(vkv_swap_blocks_batch(device.ctx, &params, device.stream), kInvalid, bad.words);
      VKV_CHECK_OK(vkv_swap_blocks_batch_supported(device.ctx, &params));
      support::synchronize(device);
      problem.dst.download();
      CHECK(support::first_difference(problem.dst.image(), before) == -1);
    }
  }
}

TEST_CASE("swap_blocks_batch refuses bad input and writes nothing") {
  const Device& device = support::devices().front();
  Random random(101);
  SwapBlocksBatchProblem problem(device, {"", 9, 32, 32}, random);
  const auto before = problem.dst.image();
  const auto good = problem.params();
  const auto refused = [&](auto change, vkv_status status, const char* words) {
    auto p = good;
    change(p);
    VKV_CHECK_REFUSED(vkv_swap_blocks_batch(device.ctx, &p, device.stream), status, words);
  };
  refused([](auto& p) { p.src_ptrs.data = nullptr; }, kInvalid, "src_ptrs.data is null");
  refused([](auto& p) { p.dst_ptrs = {}; }, kInvalid, "dst_ptrs is absent");
  refused([](auto& p) { p.sizes.data = nullptr; }, kInvalid, "sizes.data is null");
  refused([](auto& p) { p.sizes.dtype = VKV_DTYPE_I32; }, kInvalid, "sizes.dtype is i32, expected i64");
  refused([](auto& p) { p.src_ptrs.ndim = 2; }, kInvalid, "src_ptrs.ndim is 2, expected 1");
  refused([](auto& p) { p.sizes.shape[0] = 8; }, kInvalid, "sizes.shape[0] is 8, expected 9 (src_ptrs.shape[0])");
  refused([](auto& p) { p.dst_ptrs.shape[0] = 8; }, kInvalid, "dst_ptrs.shape[0] is 8, expected 9");
  refused([](auto& p) { p.max_sms = -1; }, kInvalid, "max_sms is -1, expected at least 0");
  refused([](auto& p) { p.reserved0 = 1; }, kInvalid, "reserved0 is 1, expected 0");
  refused([](auto& p) { p.flags = 2; }, VKV_ERROR_NOT_SUPPORTED, "flags is 0x2");
  problem.dst.download();
  CHECK(support::first_difference(problem.dst.image(), before) == -1);

  auto p = good;
  p.src_ptrs.data = p.dst_ptrs.data = p.sizes.data = nullptr;
  VKV_CHECK_OK(vkv_swap_blocks_batch_supported(device.ctx, &p));
}
