// indexer_k_quant_and_cache against its reference, byte for byte over the whole cache; exact scales; bad slots;
// refusals.
#include "cases/indexer_k_quant_and_cache.hpp"

#include <limits>

#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/expect_report.hpp"
#include "support/reference/indexer_k_quant_and_cache.hpp"
#include "support/refusal.hpp"

using cases::IndexerKQuantAndCache;
using cases::IndexerKQuantAndCacheProblem;
using support::Device;
using support::Random;

namespace {

// Runs the op and compares every byte of the cache's memory, guards and gaps included.
void check(const Device& device, IndexerKQuantAndCacheProblem& problem) {
  const auto params = problem.params();
  VKV_CHECK_OK(vkv_indexer_k_quant_and_cache_supported(device.ctx, &params));
  VKV_CHECK_OK(vkv_indexer_k_quant_and_cache(device.ctx, &params, device.stream));
  support::synchronize(device);
  reference::indexer_k_quant_and_cache(problem.k, problem.slot_mapping, problem.quant_block_size, problem.scale_rule,
                                       problem.kv_cache);
  const std::vector<uint8_t> want = problem.kv_cache.image();
  problem.kv_cache.download();
  CHECK(support::first_difference(problem.kv_cache.image(), want) == -1);
}

// Every code of a 16-bit dtype; of f32, those at 2^e and 448 * 2^e for every e, and their neighbours.
std::vector<uint64_t> codes_of(vkv_dtype dtype) {
  std::vector<uint64_t> codes;
  if (dtype != VKV_DTYPE_F32) {
    for (uint64_t code = 0; code < 0x10000; ++code) codes.push_back(code);
    return codes;
  }
  for (uint64_t power = 2; power < 0x800000; power *= 2) codes.insert(codes.end(), {power - 1, power, power + 1});
  for (uint64_t exponent = 0; exponent < 255; ++exponent) {
    for (uint64_t mantissa : {0x0, 0x1, 0x7FFFFF, 0x5FFFFF, 0x600000, 0x600001})
      codes.push_back(exponent << 23 | mantissa);
  }
  codes.insert(codes.end(), {0x7F800000, 0xFF800000, 0x7FC00000});
  return codes;
}

}  // namespace

TEST_CASE("indexer_k_quant_and_cache writes every byte of the reference and no other") {
  uint64_t stream = 0;
  for (const Device& device : support::devices()) {
    for (const IndexerKQuantAndCache& c : cases::indexer_k_quant_and_cache()) {
      CAPTURE(device.name, c.name, c.dtype, c.tokens, c.head_dim, c.quant_block_size, c.scale_rule,
              support::process_seed());
      Random random(++stream);
      IndexerKQuantAndCacheProblem problem(device, c, random);
      check(device, problem);
      CHECK(support::take_report(device).count == 0);
    }
  }
}

TEST_CASE("indexer_k_quant_and_cache writes the same with every set of vector units") {
  uint64_t stream = 1000;
  for (const Device& device : support::vector_unit_devices()) {
    for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_BF16, VKV_DTYPE_F32}) {
      for (int32_t width : {37, 111, 128, 384}) {
        CAPTURE(device.name, dtype, width, support::process_seed());
        Random random(++stream);
        const int64_t head_dim = width < 112 ? 111 : 384;
        IndexerKQuantAndCacheProblem problem(device, {"", dtype, 6, head_dim, width, 0, 2, 4, 0, 1, 4, 1}, random);
        check(device, problem);
      }
    }
  }
}

TEST_CASE("indexer_k_quant_and_cache: the scale of every 16-bit number, and of float32 next to every power of two") {
  for (const Device& device : support::devices()) {
    for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_BF16, VKV_DTYPE_F32}) {
      for (int rule : {int{VKV_SCALE_RULE_POW2}, int{VKV_SCALE_RULE_F32}}) {
        CAPTURE(device.name, dtype, rule, support::process_seed());
        constexpr int64_t kDim = 64;
        const std::vector<uint64_t> codes = codes_of(dtype);
        const auto count = static_cast<int64_t>(codes.size()), tokens = (count + kDim - 1) / kDim;
        Random random(2000);
        IndexerKQuantAndCacheProblem problem(device, {"", dtype, tokens, kDim, 1, rule, tokens, 1}, random);
        for (int64_t i = 0; i < count; ++i) problem.k.set_bits(i, codes[static_cast<std::size_t>(i)]);
        problem.k.upload();
        for (int64_t n = 0; n < tokens; ++n) problem.slot_mapping.set_bits(n, static_cast<uint64_t>(n));
        problem.slot_mapping.upload();
        check(device, problem);
      }
    }
  }
}

TEST_CASE("indexer_k_quant_and_cache skips and reports slots past the cache") {
  constexpr int64_t kCapacity = 4 * 16;
  for (const Device& device : support::devices()) {
    Random random(3000);
    IndexerKQuantAndCacheProblem problem(device, {"", VKV_DTYPE_BF16, 40}, random);
    for (int64_t slot :
         {kCapacity, kCapacity + 1, int64_t{2147483647}, int64_t{1} << 62, std::numeric_limits<int64_t>::max()}) {
      CAPTURE(device.name, slot, support::process_seed());
      problem.slot_mapping.set_bits(17, static_cast<uint64_t>(slot));
      problem.slot_mapping.upload();
      check(device, problem);
      support::expect_report(device, VKV_OP_INDEXER_K_QUANT_AND_CACHE, VKV_REPORT_SLOT, 1, 17, slot, kCapacity);
    }
  }
}

TEST_CASE("indexer_k_quant_and_cache refuses bad input and writes nothing") {
  const Device& device = support::devices().front();
  Random random(4000);
  IndexerKQuantAndCacheProblem problem(device, {"", VKV_DTYPE_BF16, 4}, random);
  const std::vector<uint8_t> before = problem.kv_cache.image();
  const auto good = problem.params();
  const auto refused = [&](auto change, const char* words, vkv_status status = VKV_ERROR_INVALID_ARGUMENT) {
    auto p = good;
    change(p);
    VKV_CHECK_REFUSED(vkv_indexer_k_quant_and_cache(device.ctx, &p, device.stream), status, words);
  };
  refused([](auto& p) { p.k = {}; }, "k is absent");
  refused([](auto& p) { p.kv_cache.data = nullptr; }, "kv_cache.data is null");
  refused([](auto& p) { p.slot_mapping.dtype = VKV_DTYPE_I32; }, "slot_mapping.dtype is i32, expected i64");
  refused([](auto& p) { p.slot_mapping.shape[0] = 5; }, "k.shape[0] is 4, expected at least 5");
  refused([](auto& p) { p.k.dtype = VKV_DTYPE_FP8_E4M3; }, "k.dtype is e4m3, expected f16 or bf16 or f32");
  refused([](auto& p) { p.k.stride[1] = 2; }, "k.stride[1] is 2, expected 1");
  refused([](auto& p) { p.quant_block_size = 96; },
          "quant_block_size is 96, expected a divisor of k.shape[1], which is 128");
  refused([](auto& p) { p.quant_block_size = 256; }, "quant_block_size is 256");
  refused([](auto& p) { p.quant_block_size = -1; }, "quant_block_size is -1, expected at least 0");
  refused([](auto& p) { p.quant_block_size = 64; }, "kv_cache.shape[2] is 132, expected 136");
  refused([](auto& p) { p.kv_cache.dtype = VKV_DTYPE_FP8_E4M3; }, "kv_cache.dtype is e4m3, expected u8");
  refused([](auto& p) { p.kv_cache.stride[1] = 136; }, "kv_cache.stride[1] is 136, expected 132");
  refused([](auto& p) { p.kv_cache.stride[0] = 0; }, "kv_cache.stride[0] is 0, but the tensor is written");
  refused([](auto& p) { p.kv_cache.stride[0] += 2; }, "expected a multiple of 4 bytes");
  refused([](auto& p) { p.kv_cache.data = static_cast<char*>(p.kv_cache.data) + 1; }, "expected alignment to 4 bytes");
  refused([](auto& p) { p.kv_cache.data = p.k.data; }, "the memory of k");
  refused([](auto& p) { p.scale_rule = 3; }, "scale_rule is 3, expected 0 to 2");
  refused([](auto& p) { p.flags = 1; }, "flags is 0x1", VKV_ERROR_NOT_SUPPORTED);
  refused(
      [](auto& p) {
        p.k.shape[1] = p.quant_block_size = 66;
        p.kv_cache.shape[1] = 3;
        p.kv_cache.shape[2] = p.kv_cache.stride[1] = 70;
      },
      "kv_cache.shape[1] is 3, expected a multiple of 4 after multiplication by head_dim 66");
  problem.kv_cache.download();
  CHECK(support::first_difference(problem.kv_cache.image(), before) == -1);
  CHECK(support::take_report(device).count == 0);
}
