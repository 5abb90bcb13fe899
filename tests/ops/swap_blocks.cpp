// swap_blocks against its reference, byte for byte; refusals, above all of block ids, with nothing written.
#include "cases/swap_blocks.hpp"

#include <algorithm>

#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/lazy_memory.hpp"
#include "support/reference/swap_blocks.hpp"
#include "support/refusal.hpp"

using support::Random;

TEST_CASE("swap_blocks copies the mapped blocks and nothing else") {
  uint64_t stream = 0;
  for (const support::Device& device : support::devices()) {
    for (const cases::SwapBlocks& c : cases::swap_blocks()) {
      CAPTURE(device.name, c.name, support::process_seed());
      Random random(++stream);
      cases::SwapBlocksProblem problem(device, c, random);
      auto params = problem.params();
      VKV_CHECK_OK(vkv_swap_blocks_supported(device.ctx, &params));
      VKV_CHECK_OK(vkv_swap_blocks(device.ctx, &params, device.stream));
      support::synchronize(device);
      reference::swap_blocks(problem.src, problem.mapping, problem.dst());
      const auto want = problem.dst().image();
      problem.dst().download();
      CHECK(support::first_difference(problem.dst().image(), want) == -1);
    }
  }
}

TEST_CASE("swap_blocks may hold a block twice and stays inside its pools") {
  for (const support::Device& device : support::devices()) {
    Random random(100);
    cases::SwapBlocks c{"", VKV_DTYPE_U8, {70001}, 9, 9, 4};
    c.same_pool = true;
    cases::SwapBlocksProblem problem(device, c, random);
    problem.mapping = support::Array(support::host(), VKV_DTYPE_I64, {8, 2});
    problem.mapping.fill_integers({0, 1, 1, 2, 2, 3, 3, 4, 5, 4, 4, 4, 6, 6, 6, 5});
    const auto before = problem.src.image();
    const auto params = problem.params();
    VKV_CHECK_OK(vkv_swap_blocks(device.ctx, &params, device.stream));
    support::synchronize(device);
    problem.src.download();
    auto after = problem.src.image();
    // What blocks 1 to 6 hold is unspecified; 0, 7 and 8 are no destination.
    const auto base = problem.src.base() - problem.src.image().data();
    std::copy_n(before.begin() + base + 70001, 6 * 70001, after.begin() + base + 70001);
    CHECK(support::first_difference(after, before) == -1);
  }
}

TEST_CASE("swap_blocks reaches past 2^32 elements on the CPU") {
  const support::OwnedContext ctx = support::cpu_context(2);
  constexpr int64_t kFar = (int64_t{1} << 32) + 5;  // bytes from one block to the next
  const support::LazyMemory src(2 * kFar + 4), dst(2 * kFar + 4);
  if (!src.mapped() || !dst.mapped()) {
    WARN("this system gives no 16 GiB of address space");
    return;
  }
  int64_t mapping[] = {2, 1, 1, 2};
  vkv_swap_blocks_params p = VKV_INIT(vkv_swap_blocks_params);
  p.src = {src.data(), VKV_DTYPE_U8, 2, {3, 4}, {kFar, 1}};
  p.dst = {dst.data(), VKV_DTYPE_U8, 2, {3, 4}, {kFar, 1}};
  p.block_mapping = {mapping, VKV_DTYPE_I64, 2, {2, 2}, {2, 1}};
  auto* from = static_cast<uint8_t*>(src.data());
  for (int64_t block : {1, 2}) from[block * kFar] = from[block * kFar + 3] = static_cast<uint8_t>(10 * block);
  VKV_CHECK_OK(vkv_swap_blocks(ctx.get(), &p, nullptr));
  const auto* to = static_cast<const uint8_t*>(dst.data());
  for (int64_t block : {1, 2}) {
    CHECK(to[block * kFar] == 10 * (3 - block));
    CHECK(to[block * kFar + 3] == 10 * (3 - block));
  }
}

TEST_CASE("swap_blocks names the first bad block id and copies nothing") {
  for (const support::Device& device : support::devices()) {
    for (const int64_t bad : {int64_t{-1}, int64_t{12}, int64_t{2147483647}, int64_t{1} << 62, INT64_MIN}) {
      for (const int64_t column : {0, 1}) {
        CAPTURE(device.name, bad, column);
        Random random(101);
        cases::SwapBlocksProblem problem(device, {"", VKV_DTYPE_BF16, {8}, 12, 12, 10}, random);
        problem.mapping.set_bits({7, column}, static_cast<uint64_t>(bad));
        problem.mapping.set_bits({9, 1 - column}, static_cast<uint64_t>(bad));
        problem.mapping.upload();
        const auto before = problem.other.image();
        const auto params = problem.params();
        const std::string words = "block_mapping[7][" + std::to_string(column) + "] is " + std::to_string(bad) +
                                  ", expected 0 or more and below 12 (" + (column == 0 ? "src" : "dst") + ".shape[0])";
        VKV_CHECK_REFUSED(vkv_swap_blocks(device.ctx, &params, device.stream), VKV_ERROR_INVALID_ARGUMENT, words);
        support::synchronize(device);
        problem.other.download();
        CHECK(support::first_difference(problem.other.image(), before) == -1);
      }
    }
  }
}

TEST_CASE("swap_blocks_supported looks at no pointer and no value") {
  const support::Device& device = support::devices().front();
  Random random(102);
  cases::SwapBlocksProblem problem(device, {"", VKV_DTYPE_BF16, {8}, 12, 12, 10}, random);
  auto params = problem.params();
  params.src.data = params.dst.data = params.block_mapping.data = nullptr;
  VKV_CHECK_OK(vkv_swap_blocks_supported(device.ctx, &params));
  params = problem.params();
  problem.mapping.set_bits({3, 0}, 99);
  problem.mapping.upload();
  VKV_CHECK_OK(vkv_swap_blocks_supported(device.ctx, &params));
  params.dst.shape[1] = 7;
  VKV_CHECK_REFUSED(vkv_swap_blocks_supported(device.ctx, &params), VKV_ERROR_INVALID_ARGUMENT,
                    "dst has 14 bytes a block");
}

TEST_CASE("swap_blocks refuses bad input and writes nothing") {
  const support::Device& device = support::devices().front();
  Random random(103);
  cases::SwapBlocksProblem problem(device, {"", VKV_DTYPE_BF16, {4, 2}, 12, 12, 10, 1, 2, 2}, random);
  const auto before = problem.other.image();
  const auto good = problem.params();
  const auto refused = [&](auto change, vkv_status status, const char* words) {
    auto p = good;
    change(p);
    VKV_CHECK_REFUSED(vkv_swap_blocks(device.ctx, &p, device.stream), status, words);
  };
  constexpr vkv_status kInvalid = VKV_ERROR_INVALID_ARGUMENT;
  refused([](auto& p) { p.src.data = nullptr; }, kInvalid, "src.data is null");
  refused([](auto& p) { p.dst = {}; }, kInvalid, "dst is absent");
  refused([](auto& p) { p.block_mapping.data = nullptr; }, kInvalid, "block_mapping.data is null");
  refused([](auto& p) { p.src.stride[1] = 3; }, kInvalid, "src.stride[1] is 3, expected 2");
  refused([](auto& p) { p.dst.stride[1] = 3; }, kInvalid, "dst.stride[1] is 3, expected 2");
  refused([](auto& p) { p.dst.stride[0] = 0; }, kInvalid, "dst.stride[0] is 0");
  refused([](auto& p) { p.dst.shape[1] = 3; }, kInvalid, "dst has 12 bytes a block, expected 16 (src)");
  refused([](auto& p) { p.dst.shape[0] = 3; }, kInvalid, "below 3 (dst.shape[0])");
  refused([](auto& p) { p.block_mapping.dtype = VKV_DTYPE_F32; }, kInvalid, "block_mapping.dtype is f32, expected i64");
  refused([](auto& p) { p.block_mapping.ndim = 1; }, kInvalid, "block_mapping.ndim is 1, expected 2");
  refused([](auto& p) { p.block_mapping.shape[1] = 3; }, kInvalid, "block_mapping.shape[1] is 3, expected 2");
  refused([](auto& p) { p.max_sms = -1; }, kInvalid, "max_sms is -1, expected at least 0");
  refused([](auto& p) { p.reserved0 = 1; }, kInvalid, "reserved0 is 1, expected 0");
  refused([](auto& p) { p.struct_size = 344; }, kInvalid, "struct_size is 344");
  refused([](auto& p) { p.flags = 1; }, VKV_ERROR_NOT_SUPPORTED, "flags is 0x1");
  problem.other.download();
  CHECK(support::first_difference(problem.other.image(), before) == -1);
}
