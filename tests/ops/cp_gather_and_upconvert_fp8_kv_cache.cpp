// cp_gather_and_upconvert_fp8_kv_cache against its reference, bit for bit; bad tables, offsets and starts; refusals.
#include "cases/cp_gather_and_upconvert_fp8_kv_cache.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/expect_report.hpp"
#include "support/reference/cp_gather_and_upconvert_fp8_kv_cache.hpp"
#include "support/refusal.hpp"

using cases::CpGatherAndUpconvertFp8KvCache;
using cases::CpGatherAndUpconvertFp8KvCacheProblem;
using support::Device;
using support::Random;

namespace {

constexpr int32_t kOp = VKV_OP_CP_GATHER_AND_UPCONVERT_FP8_KV_CACHE;

// Runs the op, compares every byte of dst, guards and gaps included, and returns the rows that lie nowhere in the
// cache.
int64_t check(const Device& device, CpGatherAndUpconvertFp8KvCacheProblem& problem) {
  const auto params = problem.params();
  VKV_CHECK_OK(vkv_cp_gather_and_upconvert_fp8_kv_cache_supported(device.ctx, &params));
  VKV_CHECK_OK(vkv_cp_gather_and_upconvert_fp8_kv_cache(device.ctx, &params, device.stream));
  support::synchronize(device);
  const int64_t absent = reference::cp_gather_and_upconvert_fp8_kv_cache(
      problem.src_cache, problem.ragged.block_table, problem.ragged.offsets, problem.ragged.seq_starts, problem.dst);
  problem.dst.unify_nans(512);
  const std::vector<uint8_t> want = problem.dst.image();
  problem.dst.download();
  problem.dst.unify_nans(512);
  CHECK(support::first_difference(problem.dst.image(), want) == -1);
  return absent;
}

}  // namespace

TEST_CASE("cp_gather_and_upconvert_fp8_kv_cache widens every owned row as its reference, and writes no other") {
  uint64_t stream = 0;
  for (const Device& device : support::devices()) {
    for (const CpGatherAndUpconvertFp8KvCache& c : cases::cp_gather_and_upconvert_fp8_kv_cache()) {
      CAPTURE(device.name, c.name, c.dtype, support::process_seed());
      Random random(++stream);
      CpGatherAndUpconvertFp8KvCacheProblem problem(device, c, random);
      CHECK(check(device, problem) == 0);
      CHECK(support::take_report(device).count == 0);
    }
  }
}

TEST_CASE("cp_gather_and_upconvert_fp8_kv_cache widens alike with every set of vector units") {
  for (const Device& device : support::vector_unit_devices()) {
    for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_BF16}) {
      CAPTURE(device.name, dtype, support::process_seed());
      Random random(700);
      CpGatherAndUpconvertFp8KvCacheProblem problem(device, {"", dtype, {{5, 7}, 4}, 1, 1}, random);
      CHECK(check(device, problem) == 0);
    }
  }
}

TEST_CASE("cp_gather_and_upconvert_fp8_kv_cache gives back what concat_and_cache_mla wrote") {
  for (const Device& device : support::devices()) {
    for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_BF16}) {
      for (int rule : {int{VKV_SCALE_RULE_POW2}, int{VKV_SCALE_RULE_F32}}) {
        CAPTURE(device.name, dtype, rule, support::process_seed());
        constexpr int64_t kTokens = 9;
        Random random(500);
        CpGatherAndUpconvertFp8KvCacheProblem problem(device, {"", dtype, {{kTokens}, 4}}, random);
        support::Array kv_c(device, dtype, {kTokens, 512}), k_pe(device, dtype, {kTokens, 64}),
            slots(device, VKV_DTYPE_I64, {kTokens});
        kv_c.fill_normal(random);
        k_pe.fill_bits(random);
        for (int64_t n = 0; n < kTokens; ++n) slots.set_bits(n, static_cast<uint64_t>(n));
        slots.upload();
        problem.ragged.block_table.fill_integers({0, 1, 2, -1});
        vkv_concat_and_cache_mla_params write = VKV_INIT(vkv_concat_and_cache_mla_params);
        write.kv_c = kv_c.view();
        write.k_pe = k_pe.view();
        write.kv_cache = problem.src_cache.view();
        write.slot_mapping = slots.view();
        write.scale_rule = rule;
        VKV_CHECK_OK(vkv_concat_and_cache_mla(device.ctx, &write, device.stream));
        const auto params = problem.params();
        VKV_CHECK_OK(vkv_cp_gather_and_upconvert_fp8_kv_cache(device.ctx, &params, device.stream));
        support::synchronize(device);
        problem.dst.download();
        for (int64_t n = 0; n < kTokens; ++n) {
          for (int64_t tile = 0; tile < 4; ++tile) {
            double largest = 0;
            for (int64_t d = tile * 128; d < tile * 128 + 128; ++d)
              largest = std::max(largest, std::fabs(kv_c.at({n, d})));
            for (int64_t d = tile * 128; d < tile * 128 + 128; ++d) {
              const double x = kv_c.at({n, d}), error = std::fabs(problem.dst.at({n, d}) - x);
              // E4M3 is off by at most 2^-4 of a normal number and 2^-10 scales of a subnormal one, and a scale is at
              // most 2 * largest / 448; widening rounds once more, by at most 2^-8 of the result.
              CHECK(error <= std::max(std::fabs(x) * 0x1p-4, 0x1p-10 * 2 * largest / 448) + std::fabs(x) * 0x1.1p-8);
            }
          }
          for (int64_t d = 0; d < 64; ++d) CHECK(problem.dst.bits({n, 512 + d}) == k_pe.bits({n, d}));
        }
      }
    }
  }
}

TEST_CASE("cp_gather_and_upconvert_fp8_kv_cache: rows that lie nowhere become zero and are reported") {
  for (const Device& device : support::devices()) {
    for (int64_t id : {int64_t{-1}, int64_t{7}, int64_t{2147483647}, -int64_t{2147483648}}) {
      CAPTURE(device.name, id, support::process_seed());
      Random random(1000);
      CpGatherAndUpconvertFp8KvCacheProblem problem(device, {"", VKV_DTYPE_BF16, {{5, 11, 3}, 4, {2, 5, 0}}}, random);
      problem.ragged.block_table.set_bits({1, 2}, static_cast<uint64_t>(id));  // tokens 8 to 11 of sequence 1
      problem.ragged.block_table.upload();
      CHECK(check(device, problem) == 4);
      support::expect_report(device, kOp, VKV_REPORT_BLOCK_ID, 4, problem.ragged.block_table.position({1, 2}), id, 7);
    }
    {
      Random random(1500);
      CpGatherAndUpconvertFp8KvCacheProblem problem(
          device, {"", VKV_DTYPE_BF16, {{5, 11, 3}, 4, {2, 5, 0}, 0, 0, 7, 3}}, random);
      CHECK(check(device, problem) == 4);  // tokens 12 to 15 of sequence 1
      support::expect_report(device, kOp, VKV_REPORT_TABLE_COLUMN, 4, 1, 3, 3);
    }
    for (int64_t start : {int64_t{-1}, -int64_t{2147483648}}) {
      Random random(1600);
      CpGatherAndUpconvertFp8KvCacheProblem problem(device, {"", VKV_DTYPE_BF16, {{5, 11, 3}, 4, {0, 0, 0}}}, random);
      problem.ragged.seq_starts.fill_integers({0, start, 0});
      CHECK(check(device, problem) == 11);
      support::expect_report(device, kOp, VKV_REPORT_POSITION, 11, 1, start, int64_t{1} << 31);
    }
    {
      Random random(1700);
      CpGatherAndUpconvertFp8KvCacheProblem problem(device, {"", VKV_DTYPE_BF16, {{5, 2, 3}, 4, {0, 0, 0}}}, random);
      problem.ragged.seq_starts.fill_integers({0, 2147483647, 0});
      CHECK(check(device, problem) == 2);
      const vkv_device_report report = support::take_report(device);
      CHECK(report.what == VKV_REPORT_TABLE_COLUMN);
      CHECK(report.count == 2);
    }
  }
}

TEST_CASE(
    "cp_gather_and_upconvert_fp8_kv_cache: starts out of order or past the buffer are reported, whatever they hold") {
  struct Planted {
    std::vector<int64_t> starts;
    int64_t index, value, limit;  // of the only event, or of nothing to check where limit is 0
  };
  constexpr int64_t kMax = 2147483647, kMin = -kMax - 1;
  for (const Device& device : support::devices()) {
    for (const Planted& planted : {Planted{{0, 9, 5}, 1, 9, 6}, Planted{{-1, 5, 9}, 0, -1, 6},
                                   Planted{{0, 5, 21}, 2, 21, 21}, Planted{{0, 5, kMax}, 2, kMax, 21},
                                   Planted{{kMin, kMin, kMin}, 0, 0, 0}, Planted{{kMax, kMin, kMax}, 0, 0, 0},
                                   Planted{{kMin, kMax, kMin}, 0, 0, 0}, Planted{{kMax, kMax, kMin}, 0, 0, 0}}) {
      CAPTURE(device.name, planted.starts[0], planted.starts[1], planted.starts[2], support::process_seed());
      Random random(2000);
      CpGatherAndUpconvertFp8KvCacheProblem problem(device, {"", VKV_DTYPE_F16, {{5, 4, 11}, 8}}, random);
      problem.ragged.block_table.fill_integers(
          std::vector<int64_t>(static_cast<std::size_t>(problem.ragged.block_table.size()), 3));
      problem.ragged.offsets.fill_integers(planted.starts);
      const auto params = problem.params();
      VKV_CHECK_OK(vkv_cp_gather_and_upconvert_fp8_kv_cache(device.ctx, &params, device.stream));
      if (planted.limit != 0) {
        support::expect_report(device, kOp, VKV_REPORT_OFFSET, 1, planted.index, planted.value, planted.limit);
      } else {
        CHECK(support::take_report(device).count > 0);
      }
      problem.dst.download();
      CHECK(problem.dst.intact());
    }
  }
}

TEST_CASE("cp_gather_and_upconvert_fp8_kv_cache refuses bad input and writes nothing") {
  const Device& device = support::devices().front();
  Random random(4000);
  CpGatherAndUpconvertFp8KvCacheProblem problem(device, {"", VKV_DTYPE_BF16, {{5, 7}, 4, {0, 1}}}, random);
  const std::vector<uint8_t> before = problem.dst.image();
  const auto good = problem.params();
  const auto refused = [&](auto change, const char* words, vkv_status status = VKV_ERROR_INVALID_ARGUMENT) {
    auto p = good;
    change(p);
    VKV_CHECK_REFUSED(vkv_cp_gather_and_upconvert_fp8_kv_cache(device.ctx, &p, device.stream), status, words);
  };
  refused([](auto& p) { p.src_cache = {}; }, "src_cache is absent");
  refused([](auto& p) { p.dst.data = nullptr; }, "dst.data is null");
  refused([](auto& p) { p.src_cache.dtype = VKV_DTYPE_FP8_E5M2; }, "src_cache.dtype is e5m2, expected fp8_ds_mla");
  refused([](auto& p) { p.src_cache.shape[2] = 576; }, "src_cache.shape[2] is 576, expected 656");
  refused([](auto& p) { p.src_cache.stride[2] = 2; }, "src_cache.stride[2] is 2, expected 1");
  refused([](auto& p) { p.src_cache.stride[0] += 2; }, "expected a multiple of 4 bytes");
  refused([](auto& p) { p.src_cache.data = static_cast<char*>(p.src_cache.data) + 2; },
          "expected alignment to 4 bytes");
  refused([](auto& p) { p.dst.dtype = VKV_DTYPE_F32; }, "dst.dtype is f32, expected f16 or bf16");
  refused([](auto& p) { p.dst.shape[1] = 512; }, "dst.shape[1] is 512, expected 576");
  refused([](auto& p) { p.dst.stride[0] = 0; }, "dst.stride[0] is 0, but the tensor is written");
  refused([](auto& p) { p.block_table.ndim = 1; }, "block_table.ndim is 1, expected 2");
  refused([](auto& p) { p.block_table.stride[1] = 2; }, "block_table.stride[1] is 2, expected 1");
  refused([](auto& p) { p.workspace_starts.shape[0] = 3; }, "workspace_starts.shape[0] is 3, expected 2");
  refused([](auto& p) { p.workspace_starts.dtype = VKV_DTYPE_I64; }, "workspace_starts.dtype is i64, expected i32");
  refused([](auto& p) { p.seq_starts.shape[0] = 1; }, "seq_starts.shape[0] is 1, expected 2");
  refused([](auto& p) { p.seq_starts.dtype = VKV_DTYPE_I64; }, "seq_starts.dtype is i64, expected i32");
  refused([](auto& p) { p.dst.data = p.src_cache.data; }, "the memory of src_cache");
  refused([](auto& p) { p.flags = 1; }, "flags is 0x1", VKV_ERROR_NOT_SUPPORTED);
  problem.dst.download();
  CHECK(support::first_difference(problem.dst.image(), before) == -1);
  CHECK(support::take_report(device).count == 0);
}
