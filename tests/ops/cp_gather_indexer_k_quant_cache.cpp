// cp_gather_indexer_k_quant_cache against its reference, byte for byte; bad block tables and offsets; refusals.
#include "cases/cp_gather_indexer_k_quant_cache.hpp"

#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/expect_report.hpp"
#include "support/reference/cp_gather_indexer_k_quant_cache.hpp"
#include "support/refusal.hpp"

using cases::CpGatherIndexerKQuantCache;
using cases::CpGatherIndexerKQuantCacheProblem;
using support::Array;
using support::Device;
using support::Random;

namespace {

constexpr int32_t kOp = VKV_OP_CP_GATHER_INDEXER_K_QUANT_CACHE;

// Runs the op, compares every byte of both outputs, guards and gaps included, and returns the rows that lie nowhere.
int64_t check(const Device& device, CpGatherIndexerKQuantCacheProblem& problem) {
  const auto params = problem.params();
  VKV_CHECK_OK(vkv_cp_gather_indexer_k_quant_cache_supported(device.ctx, &params));
  VKV_CHECK_OK(vkv_cp_gather_indexer_k_quant_cache(device.ctx, &params, device.stream));
  support::synchronize(device);
  const int64_t absent = reference::cp_gather_indexer_k_quant_cache(
      problem.kv_cache, problem.ragged.block_table, problem.ragged.offsets, problem.dst_k, problem.dst_scale);
  for (Array* array : {&problem.dst_k, &problem.dst_scale}) {
    const std::vector<uint8_t> want = array->image();
    array->download();
    CHECK(support::first_difference(array->image(), want) == -1);
  }
  return absent;
}

}  // namespace

TEST_CASE("cp_gather_indexer_k_quant_cache copies every byte of the rows that a sequence owns, and no other") {
  uint64_t stream = 0;
  for (const Device& device : support::devices()) {
    for (const CpGatherIndexerKQuantCache& c : cases::cp_gather_indexer_k_quant_cache()) {
      CAPTURE(device.name, c.name, support::process_seed());
      Random random(++stream);
      CpGatherIndexerKQuantCacheProblem problem(device, c, random);
      CHECK(check(device, problem) == 0);
      CHECK(support::take_report(device).count == 0);
    }
  }
}

TEST_CASE("cp_gather_indexer_k_quant_cache: rows with a bad block id or past the table become zero and are reported") {
  for (const Device& device : support::devices()) {
    for (int64_t id : {int64_t{-1}, int64_t{7}, int64_t{2147483647}, -int64_t{2147483648}}) {
      CAPTURE(device.name, id, support::process_seed());
      Random random(1000);
      CpGatherIndexerKQuantCacheProblem problem(device, {"", {{5, 30, 9}, 8}, 64, 2}, random);
      problem.ragged.block_table.set_bits({1, 2}, static_cast<uint64_t>(id));  // tokens 16 to 23 of sequence 1
      problem.ragged.block_table.upload();
      CHECK(check(device, problem) == 8);
      support::expect_report(device, kOp, VKV_REPORT_BLOCK_ID, 8, problem.ragged.block_table.position({1, 2}), id, 7);
    }
    Random random(1500);
    CpGatherIndexerKQuantCacheProblem problem(device, {"", {{5, 30, 9}, 8, {}, 0, 0, 7, 3}, 64, 2}, random);
    CHECK(check(device, problem) == 6);  // tokens 24 to 29 of sequence 1
    support::expect_report(device, kOp, VKV_REPORT_TABLE_COLUMN, 6, 1, 3, 3);
  }
}

TEST_CASE("cp_gather_indexer_k_quant_cache: offsets out of order or past the buffer are reported, whatever they hold") {
  struct Planted {
    std::vector<int64_t> offsets;
    int64_t index, value, limit;  // of the only event, or of nothing to check where limit is 0
  };
  constexpr int64_t kMax = 2147483647, kMin = -kMax - 1;
  for (const Device& device : support::devices()) {
    for (const Planted& planted :
         {Planted{{0, 5, 4, 20}, 1, 5, 5}, Planted{{-3, 5, 9, 20}, 0, -3, 6}, Planted{{0, 5, 9, 21}, 3, 21, 21},
          Planted{{0, 5, 9, kMax}, 3, kMax, 21}, Planted{{kMin, kMin, kMin, kMin}, 0, 0, 0},
          Planted{{kMax, kMin, kMax, kMin}, 0, 0, 0}, Planted{{kMin, kMax, kMin, kMax}, 0, 0, 0},
          Planted{{20, 9, 5, 0}, 0, 0, 0}}) {
      CAPTURE(device.name, planted.offsets[0], planted.offsets[1], planted.offsets[2], support::process_seed());
      Random random(2000);
      CpGatherIndexerKQuantCacheProblem problem(device, {"", {{5, 4, 11}, 8, {}, 0, 0, 7, 2}, 64, 2}, random);
      problem.ragged.offsets.fill_integers(planted.offsets);
      const auto params = problem.params();
      VKV_CHECK_OK(vkv_cp_gather_indexer_k_quant_cache(device.ctx, &params, device.stream));
      if (planted.limit != 0) {
        support::expect_report(device, kOp, VKV_REPORT_OFFSET, 1, planted.index, planted.value, planted.limit);
      } else {
        CHECK(support::take_report(device).count > 0);
      }
      problem.dst_k.download();
      problem.dst_scale.download();
      CHECK(problem.dst_k.intact());
      CHECK(problem.dst_scale.intact());
    }
    // Past the buffer: the rows that exist are gathered all the same.
    Random random(2500);
    CpGatherIndexerKQuantCacheProblem problem(device, {"", {{5, 4, 11}, 8}, 64, 2}, random);
    problem.ragged.offsets.fill_integers({0, 5, 9, 23});
    CHECK(check(device, problem) == 0);
    support::expect_report(device, kOp, VKV_REPORT_OFFSET, 1, 3, 23, 21);
  }
}

TEST_CASE("cp_gather_indexer_k_quant_cache from a cache without blocks or without tokens gives zeros") {
  for (const Device& device : support::devices()) {
    for (int empty_dim : {0, 1}) {
      Random random(3000);
      CpGatherIndexerKQuantCacheProblem problem(device, {"", {{2, 1}, 4}}, random);
      auto params = problem.params();
      params.kv_cache.shape[empty_dim] = 0;
      VKV_CHECK_OK(vkv_cp_gather_indexer_k_quant_cache(device.ctx, &params, device.stream));
      CHECK(support::take_report(device).count == 3);
      problem.dst_k.download();
      problem.dst_scale.download();
      for (int64_t i = 0; i < problem.dst_k.size(); ++i) REQUIRE(problem.dst_k.bits(i) == 0);
      for (int64_t i = 0; i < problem.dst_scale.size(); ++i) REQUIRE(problem.dst_scale.bits(i) == 0);
    }
  }
}

TEST_CASE("cp_gather_indexer_k_quant_cache refuses bad input and writes nothing") {
  const Device& device = support::devices().front();
  Random random(4000);
  CpGatherIndexerKQuantCacheProblem problem(device, {"", {{5, 7}, 4}, 64, 2}, random);
  const std::vector<uint8_t> before_k = problem.dst_k.image(), before_scale = problem.dst_scale.image();
  const auto good = problem.params();
  const auto refused = [&](auto change, const char* words, vkv_status status = VKV_ERROR_INVALID_ARGUMENT) {
    auto p = good;
    change(p);
    VKV_CHECK_REFUSED(vkv_cp_gather_indexer_k_quant_cache(device.ctx, &p, device.stream), status, words);
  };
  refused([](auto& p) { p.kv_cache = {}; }, "kv_cache is absent");
  refused([](auto& p) { p.dst_k.data = nullptr; }, "dst_k.data is null");
  refused([](auto& p) { p.dst_k.dtype = VKV_DTYPE_U8; }, "dst_k.dtype is u8, expected e4m3");
  refused([](auto& p) { p.dst_k.stride[1] = 2; }, "dst_k.stride[1] is 2, expected 1");
  refused([](auto& p) { p.dst_k.stride[0] = 0; }, "dst_k.stride[0] is 0, but the tensor is written");
  refused([](auto& p) { p.dst_scale.dtype = VKV_DTYPE_BF16; }, "dst_scale.dtype is bf16, expected f32");
  refused([](auto& p) { p.dst_scale.shape[0] = 11; }, "dst_scale.shape[0] is 11, expected 12");
  refused([](auto& p) { p.dst_scale.stride[0] = 0; }, "dst_scale.stride[0] is 0, but the tensor is written");
  refused([](auto& p) { p.dst_scale.shape[1] = 3; },
          "dst_scale.shape[1] is 3, expected a divisor of dst_k.shape[1], which is 64");
  refused([](auto& p) { p.dst_scale.shape[1] = 0; }, "dst_scale.shape[1] is 0, expected a divisor");
  refused([](auto& p) { p.dst_scale.shape[1] = 4; }, "kv_cache.shape[2] is 72, expected 80");
  refused([](auto& p) { p.kv_cache.dtype = VKV_DTYPE_FP8_E4M3; }, "kv_cache.dtype is e4m3, expected u8");
  refused([](auto& p) { p.kv_cache.stride[1] = 80; }, "kv_cache.stride[1] is 80, expected 72");
  refused([](auto& p) { p.kv_cache.stride[0] += 1; }, "expected a multiple of 4 bytes");
  refused([](auto& p) { p.kv_cache.data = static_cast<char*>(p.kv_cache.data) + 2; }, "expected alignment to 4 bytes");
  refused([](auto& p) { p.block_table.dtype = VKV_DTYPE_I64; }, "block_table.dtype is i64, expected i32");
  refused([](auto& p) { p.block_table.stride[1] = 2; }, "block_table.stride[1] is 2, expected 1");
  refused([](auto& p) { p.cu_seq_lens.shape[0] = 2; }, "cu_seq_lens.shape[0] is 2, expected 3");
  refused([](auto& p) { p.cu_seq_lens.dtype = VKV_DTYPE_I64; }, "cu_seq_lens.dtype is i64, expected i32");
  refused([](auto& p) { p.dst_k.data = p.kv_cache.data; }, "the memory of kv_cache");
  refused([](auto& p) { p.dst_scale.data = p.kv_cache.data; }, "the memory of kv_cache");
  refused([](auto& p) { p.dst_k.data = p.dst_scale.data; }, "the memory of dst_scale");
  refused([](auto& p) { p.flags = 1; }, "flags is 0x1", VKV_ERROR_NOT_SUPPORTED);
  problem.dst_k.download();
  problem.dst_scale.download();
  CHECK(support::first_difference(problem.dst_k.image(), before_k) == -1);
  CHECK(support::first_difference(problem.dst_scale.image(), before_scale) == -1);
  CHECK(support::take_report(device).count == 0);
}
