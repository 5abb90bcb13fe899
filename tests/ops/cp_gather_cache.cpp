// cp_gather_cache against its reference, byte for byte; bad tables, offsets and starts; refusals.
#include "cases/cp_gather_cache.hpp"

#include "ops/ragged_faults.hpp"
#include "support/compare.hpp"
#include "support/lazy_memory.hpp"
#include "support/reference/gather_cache.hpp"
#include "support/refusal.hpp"

using cases::CpGatherCache;
using Problem = cases::CpGatherCacheProblem;
using support::Device;
using support::Random;

namespace {

void run(const Device& device, Problem& problem) {
  const auto params = problem.params();
  VKV_CHECK_OK(vkv_cp_gather_cache_supported(device.ctx, &params));
  VKV_CHECK_OK(vkv_cp_gather_cache(device.ctx, &params, device.stream));
  support::synchronize(device);
}

// Compares every byte of dst, guards and gaps included, and returns the rows that lie nowhere in the cache.
int64_t check(const Device& device, Problem& problem) {
  run(device, problem);
  const int64_t absent =
      reference::gather_cache(problem.src_cache, problem.ragged.block_table, problem.ragged.offsets,
                              problem.ragged.seq_starts, {}, problem.dst.dim(0), problem.dst);
  const std::vector<uint8_t> want = problem.dst.image();
  problem.dst.download();
  CHECK(support::first_difference(problem.dst.image(), want) == -1);
  return absent;
}

Problem make(const Device& device, const cases::Ragged& ragged) {
  Random random(1000);
  return Problem(device, {"", VKV_DTYPE_U8, {3, 11}, {33}, ragged, 2}, random);
}

constexpr int32_t kOp = VKV_OP_CP_GATHER_CACHE;

}  // namespace

TEST_CASE("cp_gather_cache copies every owned row as its reference, and writes no other") {
  uint64_t stream = 0;
  for (const Device& device : support::devices()) {
    for (const CpGatherCache& c : cases::cp_gather_cache()) {
      CAPTURE(device.name, c.name, c.dtype, support::process_seed());
      Random random(++stream);
      Problem problem(device, c, random);
      CHECK(check(device, problem) == 0);
      CHECK(support::take_report(device).count == 0);
    }
  }
}

TEST_CASE("cp_gather_cache: rows that lie nowhere become zero and are reported") {
  ragged_faults::check_bad_rows(kOp, make, check);
}

TEST_CASE("cp_gather_cache: offsets out of order or past the buffer are reported, whatever they hold") {
  ragged_faults::check_bad_offsets(kOp, make, check, run);
}

TEST_CASE("cp_gather_cache from a cache without blocks or without tokens gives zeros") {
  for (const Device& device : support::devices()) {
    for (int empty_dim : {0, 1}) {
      Problem problem = make(device, {{2, 1}, 4});
      auto params = problem.params();
      params.src_cache.shape[empty_dim] = 0;
      VKV_CHECK_OK(vkv_cp_gather_cache(device.ctx, &params, device.stream));
      CHECK(support::take_report(device).count == 3);
      problem.dst.download();
      for (int64_t i = 0; i < problem.dst.size(); ++i) REQUIRE(problem.dst.bits(i) == 0);
    }
  }
}

TEST_CASE("cp_gather_cache reads past 2^32 elements on the CPU") {
  const support::OwnedContext ctx = support::cpu_context(2);
  constexpr int64_t kBlocks = (int64_t{1} << 33) / 64 + 3;  // of 1 token of 64 bytes
  const support::LazyMemory memory(static_cast<std::size_t>(kBlocks * 64));
  if (!memory.mapped()) {
    WARN("this system gives no 8 GiB of address space");
    return;
  }
  auto* bytes = static_cast<uint8_t*>(memory.data());
  for (int64_t i = 0; i < 64; ++i) bytes[(kBlocks - 1) * 64 + i] = static_cast<uint8_t>(i + 1);
  const Device host{"", ctx.get(), &support::host_memory(), nullptr};
  Random random(3000);
  Problem problem(host, {"", VKV_DTYPE_U8, {64}, {64}, {{1}, 1}}, random);
  problem.ragged.block_table.set_bits({0, 0}, static_cast<uint64_t>(kBlocks - 1));
  problem.ragged.block_table.upload();
  auto params = problem.params();
  params.src_cache.data = memory.data();
  params.src_cache.shape[0] = kBlocks;
  params.src_cache.stride[0] = params.src_cache.stride[1] = 64;
  VKV_CHECK_OK(vkv_cp_gather_cache(ctx.get(), &params, nullptr));
  problem.dst.download();
  for (int64_t i = 0; i < 64; ++i) CHECK(problem.dst.bits(i) == static_cast<uint64_t>(i + 1));
}

TEST_CASE("cp_gather_cache refuses bad input and writes nothing") {
  const Device& device = support::devices().front();
  Random random(4000);
  Problem problem(device, {"", VKV_DTYPE_BF16, {4, 8}, {32}, {{5, 7}, 4, {0, 1}}}, random);
  const std::vector<uint8_t> before = problem.dst.image();
  const auto good = problem.params();
  const auto refused = [&](auto change, const char* words, vkv_status status = VKV_ERROR_INVALID_ARGUMENT) {
    auto p = good;
    change(p);
    VKV_CHECK_REFUSED(vkv_cp_gather_cache(device.ctx, &p, device.stream), status, words);
  };
  refused([](auto& p) { p.src_cache = {}; }, "src_cache is absent");
  refused([](auto& p) { p.dst.data = nullptr; }, "dst.data is null");
  refused([](auto& p) { p.src_cache.dtype = VKV_DTYPE_NVFP4; }, "src_cache.dtype is nvfp4, expected any other");
  refused([](auto& p) { p.dst.dtype = VKV_DTYPE_F16; }, "dst.dtype is f16, expected bf16 (src_cache.dtype)");
  refused([](auto& p) { p.src_cache.ndim = 2; }, "src_cache.ndim is 2, expected 3 to 6");
  refused([](auto& p) { p.dst.ndim = 1; }, "dst.ndim is 1, expected 2 to 6");
  refused([](auto& p) { p.dst.shape[1] = 31; }, "dst has 31 elements a row, expected 32 (src_cache)");
  refused([](auto& p) { p.src_cache.stride[2] = 9; }, "src_cache.stride[2] is 9, expected 8");
  refused([](auto& p) { p.dst.stride[1] = 2; }, "dst.stride[1] is 2, expected 1");
  refused([](auto& p) { p.dst.stride[0] = 0; }, "dst.stride[0] is 0, but the tensor is written");
  refused([](auto& p) { p.src_cache.shape[0] = 0, p.src_cache.shape[2] = p.src_cache.shape[3] = int64_t{1} << 40; },
          "src_cache holds more than 2^60 bytes");
  refused([](auto& p) { p.block_table.data = nullptr; }, "block_table.data is null");
  refused([](auto& p) { p.block_table.stride[1] = 2; }, "block_table.stride[1] is 2, expected 1");
  refused([](auto& p) { p.cu_seq_lens.shape[0] = 2; }, "cu_seq_lens.shape[0] is 2, expected 3");
  refused([](auto& p) { p.seq_starts.shape[0] = 3; }, "seq_starts.shape[0] is 3, expected 2");
  refused([](auto& p) { p.dst.data = p.src_cache.data; }, "the memory of src_cache");
  refused([](auto& p) { p.flags = 1; }, "flags is 0x1", VKV_ERROR_NOT_SUPPORTED);
  problem.dst.download();
  CHECK(support::first_difference(problem.dst.image(), before) == -1);
  CHECK(support::take_report(device).count == 0);
}
