// gather_and_maybe_dequant_cache against its reference, byte for byte; bad tables, offsets and starts; refusals.
#include "cases/gather_and_maybe_dequant_cache.hpp"

#include "ops/ragged_faults.hpp"
#include "support/compare.hpp"
#include "support/reference/gather_cache.hpp"
#include "support/refusal.hpp"

using cases::GatherAndMaybeDequantCache;
using Problem = cases::GatherAndMaybeDequantCacheProblem;
using support::Device;
using support::Random;

namespace {

void run(const Device& device, Problem& problem) {
  const auto params = problem.params();
  VKV_CHECK_OK(vkv_gather_and_maybe_dequant_cache_supported(device.ctx, &params));
  VKV_CHECK_OK(vkv_gather_and_maybe_dequant_cache(device.ctx, &params, device.stream));
  support::synchronize(device);
}

// Compares every byte of dst, guards and gaps included, and returns the rows that lie nowhere in the cache.
int64_t check(const Device& device, Problem& problem) {
  run(device, problem);
  const int64_t columns = problem.c.cache == problem.c.dtype ? 0 : problem.c.entry;  // copied bits keep their NaN
  const int64_t absent =
      reference::gather_cache(problem.src_cache, problem.ragged.block_table, problem.ragged.offsets,
                              problem.ragged.seq_starts, problem.scale, problem.rows(), problem.dst);
  problem.dst.unify_nans(columns);
  const std::vector<uint8_t> want = problem.dst.image();
  problem.dst.download();
  problem.dst.unify_nans(columns);
  CHECK(support::first_difference(problem.dst.image(), want) == -1);
  return absent;
}

Problem copied(const Device& device, const cases::Ragged& ragged) {
  Random random(1000);
  return Problem(device, {"", VKV_DTYPE_BF16, VKV_DTYPE_BF16, 40, ragged, 0, 2}, random);
}

Problem widened(const Device& device, const cases::Ragged& ragged) {
  Random random(2000);
  return Problem(device, {"", VKV_DTYPE_FP8_E4M3, VKV_DTYPE_F32, 40, ragged, 0.25, 2}, random);
}

constexpr int32_t kOp = VKV_OP_GATHER_AND_MAYBE_DEQUANT_CACHE;

}  // namespace

TEST_CASE("gather_and_maybe_dequant_cache gathers every owned row as its reference, and writes no other") {
  uint64_t stream = 0;
  for (const Device& device : support::devices()) {
    for (const GatherAndMaybeDequantCache& c : cases::gather_and_maybe_dequant_cache()) {
      CAPTURE(device.name, c.name, c.cache, c.dtype, c.entry, support::process_seed());
      Random random(++stream);
      Problem problem(device, c, random);
      CHECK(check(device, problem) == 0);
      CHECK(support::take_report(device).count == 0);
    }
  }
}

TEST_CASE("gather_and_maybe_dequant_cache widens alike with every set of vector units") {
  for (const Device& device : support::vector_unit_devices()) {
    for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_BF16, VKV_DTYPE_F32}) {
      for (vkv_dtype cache : {VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2}) {
        CAPTURE(device.name, dtype, cache, support::process_seed());
        Random random(700);
        Problem problem(device, {"", cache, dtype, 331, {{5, 7}, 4}, 0.3, 1, 1}, random);
        CHECK(check(device, problem) == 0);
      }
    }
  }
}

TEST_CASE("gather_and_maybe_dequant_cache: rows that lie nowhere become zero and are reported") {
  ragged_faults::check_bad_rows(kOp, copied, check);
  ragged_faults::check_bad_rows(kOp, widened, check);
}

TEST_CASE("gather_and_maybe_dequant_cache: offsets out of order or past the buffer are reported, whatever they hold") {
  ragged_faults::check_bad_offsets(kOp, copied, check, run);
  ragged_faults::check_bad_offsets(kOp, widened, check, run);
}

TEST_CASE("gather_and_maybe_dequant_cache: sequences may pass num_tokens but not the buffer") {
  for (const Device& device : support::devices()) {
    Random random(3000);
    Problem problem(device, {"", VKV_DTYPE_BF16, VKV_DTYPE_BF16, 16, {{5, 7}, 4}, 0, 0, 0, 8}, random);
    CHECK(check(device, problem) == 0);
    CHECK(support::take_report(device).count == 0);
    problem.ragged.offsets.fill_integers({0, 5, 13});
    CHECK(check(device, problem) == 0);
    ragged_faults::check_report(device, kOp, {VKV_REPORT_OFFSET, 1, 2, 13, 13});
  }
}

TEST_CASE("gather_and_maybe_dequant_cache from a cache without blocks or without tokens gives zeros") {
  for (const Device& device : support::devices()) {
    for (int empty_dim : {0, 1}) {
      Problem problem = copied(device, {{2, 1}, 4});
      auto params = problem.params();
      params.src_cache.shape[empty_dim] = 0;
      VKV_CHECK_OK(vkv_gather_and_maybe_dequant_cache(device.ctx, &params, device.stream));
      CHECK(support::take_report(device).count == 3);
      problem.dst.download();
      for (int64_t i = 0; i < problem.dst.size(); ++i) REQUIRE(problem.dst.bits(i) == 0);
    }
  }
}

TEST_CASE("gather_and_maybe_dequant_cache refuses bad input and writes nothing") {
  const Device& device = support::devices().front();
  Random random(4000);
  Problem problem(device, {"", VKV_DTYPE_FP8_E4M3, VKV_DTYPE_BF16, 32, {{5, 7}, 4, {0, 1}}, 0.5}, random);
  const std::vector<uint8_t> before = problem.dst.image();
  const auto good = problem.params();
  const auto refused = [&](auto change, const char* words, vkv_status status = VKV_ERROR_INVALID_ARGUMENT) {
    auto p = good;
    change(p);
    VKV_CHECK_REFUSED(vkv_gather_and_maybe_dequant_cache(device.ctx, &p, device.stream), status, words);
  };
  refused([](auto& p) { p.src_cache = {}; }, "src_cache is absent");
  refused([](auto& p) { p.dst.data = nullptr; }, "dst.data is null");
  refused([](auto& p) { p.src_cache.dtype = VKV_DTYPE_U8; }, "src_cache.dtype is u8, expected bf16 or e4m3 or e5m2");
  refused([](auto& p) { p.dst.dtype = VKV_DTYPE_FP8_E4M3; }, "dst.dtype is e4m3, expected f16 or bf16 or f32");
  refused([](auto& p) { p.src_cache.ndim = 2; }, "src_cache.ndim is 2, expected 3");
  refused([](auto& p) { p.src_cache.shape[2] = 31; }, "src_cache.shape[2] is 31, expected 32 (dst.shape[1])");
  refused([](auto& p) { p.src_cache.stride[2] = 2; }, "src_cache.stride[2] is 2, expected 1");
  refused([](auto& p) { p.dst.stride[1] = 2; }, "dst.stride[1] is 2, expected 1");
  refused([](auto& p) { p.dst.stride[0] = 0; }, "dst.stride[0] is 0, but the tensor is written");
  refused([](auto& p) { p.num_tokens = 13; }, "dst.shape[0] is 12, expected at least 13 (num_tokens)");
  refused([](auto& p) { p.num_tokens = -1; }, "num_tokens is -1, expected at least 0");
  refused([](auto& p) { p.block_table.ndim = 1; }, "block_table.ndim is 1, expected 2");
  refused([](auto& p) { p.block_table.dtype = VKV_DTYPE_I64; }, "block_table.dtype is i64, expected i32");
  refused([](auto& p) { p.block_table.stride[1] = 2; }, "block_table.stride[1] is 2, expected 1");
  refused([](auto& p) { p.cu_seq_lens.shape[0] = 2; }, "cu_seq_lens.shape[0] is 2, expected 3");
  refused([](auto& p) { p.cu_seq_lens.dtype = VKV_DTYPE_I64; }, "cu_seq_lens.dtype is i64, expected i32");
  refused([](auto& p) { p.seq_starts.shape[0] = 3; }, "seq_starts.shape[0] is 3, expected 2");
  refused([](auto& p) { p.seq_starts.dtype = VKV_DTYPE_I64; }, "seq_starts.dtype is i64, expected i32");
  refused([](auto& p) { p.scale.dtype = VKV_DTYPE_BF16; }, "scale.dtype is bf16, expected f32");
  refused([](auto& p) { p.scale.shape[0] = 2; }, "scale.shape[0] is 2, expected 1");
  refused([](auto& p) { p.dst.data = p.src_cache.data; }, "the memory of src_cache");
  refused([](auto& p) { p.flags = 1; }, "flags is 0x1", VKV_ERROR_NOT_SUPPORTED);
  problem.dst.download();
  CHECK(support::first_difference(problem.dst.image(), before) == -1);
  CHECK(support::take_report(device).count == 0);
}
