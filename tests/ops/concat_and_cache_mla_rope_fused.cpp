// concat_and_cache_mla_rope_fused against its reference, bit for bit over everything it may write; skipped tokens;
// refusals.
#include "cases/concat_and_cache_mla_rope_fused.hpp"

#include <limits>

#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/expect_report.hpp"
#include "support/reference/concat_and_cache_mla_rope_fused.hpp"
#include "support/refusal.hpp"

using cases::ConcatAndCacheMlaRopeFused;
using cases::ConcatAndCacheMlaRopeFusedProblem;
using support::Array;
using support::Device;
using support::Random;

namespace {

// Runs the op and compares every byte of q_pe, k_pe and kv_cache, guards and gaps included.
void check(const Device& device, ConcatAndCacheMlaRopeFusedProblem& problem) {
  const auto params = problem.params();
  VKV_CHECK_OK(vkv_concat_and_cache_mla_rope_fused_supported(device.ctx, &params));
  VKV_CHECK_OK(vkv_concat_and_cache_mla_rope_fused(device.ctx, &params, device.stream));
  support::synchronize(device);
  reference::concat_and_cache_mla_rope_fused(problem.positions, problem.q_pe, problem.k_pe, problem.kv_c,
                                             problem.cos_sin_cache, problem.slot_mapping, problem.kv_cache_scale,
                                             problem.style, problem.kv_cache);
  for (Array* array : {&problem.q_pe, &problem.k_pe, &problem.kv_cache}) {
    array->unify_nans(array->shape().back());
    const std::vector<uint8_t> want = array->image();
    array->download();
    array->unify_nans(array->shape().back());
    CHECK(support::first_difference(array->image(), want) == -1);
  }
}

}  // namespace

TEST_CASE("concat_and_cache_mla_rope_fused rotates and writes as its reference, and nothing else") {
  uint64_t stream = 0;
  for (const Device& device : support::devices()) {
    for (const ConcatAndCacheMlaRopeFused& c : cases::concat_and_cache_mla_rope_fused()) {
      CAPTURE(device.name, c.name, c.dtype, c.cache_dtype, c.tokens, c.heads, c.rank, c.rope, c.style,
              support::process_seed());
      Random random(++stream);
      ConcatAndCacheMlaRopeFusedProblem problem(device, c, random);
      check(device, problem);
      CHECK(support::take_report(device).count == 0);
    }
  }
}

TEST_CASE("concat_and_cache_mla_rope_fused rotates alike with every set of vector units") {
  uint64_t stream = 1000;
  for (const Device& device : support::vector_unit_devices()) {
    for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_BF16, VKV_DTYPE_F32}) {
      for (int style : {int{VKV_ROPE_NEOX}, int{VKV_ROPE_GPTJ}}) {
        for (bool any_bits : {false, true}) {
          CAPTURE(device.name, dtype, style, any_bits, support::process_seed());
          Random random(++stream);
          ConcatAndCacheMlaRopeFusedProblem problem(
              device, {"", dtype, VKV_DTYPE_FP8_E4M3, 6, 3, 40, 78, style, 0.7, 2, 5, 20, 0, 1, 1, any_bits}, random);
          check(device, problem);
        }
      }
    }
  }
}

TEST_CASE("concat_and_cache_mla_rope_fused rounds every product and every sum") {
  for (const Device& device : support::devices()) {
    Random random(1500);
    ConcatAndCacheMlaRopeFusedProblem problem(device, {"", VKV_DTYPE_BF16, VKV_DTYPE_BF16, 1, 1, 1, 2}, random);
    problem.q_pe.fill({1.0078125, 1.0});
    problem.cos_sin_cache.set({0, 0}, 1.0078125);
    problem.cos_sin_cache.set({0, 1}, 1.015625);
    problem.cos_sin_cache.upload();
    problem.positions.fill_integers({0});
    problem.slot_mapping.fill_integers({3});
    check(device, problem);
    // In bf16, 1.0078125 ^ 2 = 1.01568603515625 rounds to 1.015625; unrounded, the difference would be 6.1e-5.
    CHECK(problem.q_pe.at(0) == 0.0);
    CHECK(problem.q_pe.at(1) == 2.03125);
  }
}

TEST_CASE(
    "concat_and_cache_mla_rope_fused leaves tokens with a bad slot or a bad position as they are, and reports them") {
  constexpr int64_t kTokens = 12, kCapacity = 4 * 8, kPositions = 50, kMax = std::numeric_limits<int64_t>::max();
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  struct Planted {
    int64_t slot, position;
    int32_t what;  // 0: skipped without a report
  };
  const std::vector<Planted> planted = {{kCapacity, 1, VKV_REPORT_SLOT},
                                        {2147483647, 1, VKV_REPORT_SLOT},
                                        {int64_t{1} << 62, 1, VKV_REPORT_SLOT},
                                        {kMax, -1, VKV_REPORT_SLOT},
                                        {31, kPositions, VKV_REPORT_POSITION},
                                        {31, -1, VKV_REPORT_POSITION},
                                        {31, 2147483647, VKV_REPORT_POSITION},
                                        {31, int64_t{1} << 62, VKV_REPORT_POSITION},
                                        {31, kMin, VKV_REPORT_POSITION},
                                        {-1, kPositions, 0},
                                        {kMin, kMin, 0}};
  for (const Device& device : support::devices()) {
    for (vkv_dtype cache : {VKV_DTYPE_BF16, VKV_DTYPE_FP8_E4M3}) {
      for (const Planted& bad : planted) {
        CAPTURE(device.name, bad.slot, bad.position, support::process_seed());
        Random random(2000);
        ConcatAndCacheMlaRopeFusedProblem problem(device, {"", VKV_DTYPE_BF16, cache, kTokens, 2, 32, 16}, random);
        for (int64_t n = 0; n < kTokens; ++n) problem.slot_mapping.set_bits(n, static_cast<uint64_t>(n));
        problem.slot_mapping.set_bits(5, static_cast<uint64_t>(bad.slot));
        problem.slot_mapping.upload();
        problem.positions.set_bits(5, static_cast<uint64_t>(bad.position));
        problem.positions.upload();
        check(device, problem);
        if (bad.what == 0) {
          CHECK(support::take_report(device).count == 0);
          continue;
        }
        const bool slot = bad.what == VKV_REPORT_SLOT;
        support::expect_report(device, VKV_OP_CONCAT_AND_CACHE_MLA_ROPE_FUSED, bad.what, 1, 5,
                               slot ? bad.slot : bad.position, slot ? kCapacity : kPositions);
      }
    }
  }
}

TEST_CASE("concat_and_cache_mla_rope_fused refuses bad input and writes nothing") {
  const Device& device = support::devices().front();
  Random random(3000);
  ConcatAndCacheMlaRopeFusedProblem problem(device, {"", VKV_DTYPE_BF16, VKV_DTYPE_FP8_E4M3, 4, 2, 16, 8, 0, 1.0},
                                            random);
  const std::vector<Array*> outputs = {&problem.q_pe, &problem.k_pe, &problem.kv_cache};
  std::vector<std::vector<uint8_t>> before;
  for (const Array* array : outputs) before.push_back(array->image());
  const auto good = problem.params();
  const auto refused = [&](auto change, const char* words, vkv_status status = VKV_ERROR_INVALID_ARGUMENT) {
    auto p = good;
    change(p);
    VKV_CHECK_REFUSED(vkv_concat_and_cache_mla_rope_fused(device.ctx, &p, device.stream), status, words);
  };
  refused([](auto& p) { p.positions = {}; }, "positions is absent");
  refused([](auto& p) { p.cos_sin_cache.data = nullptr; }, "cos_sin_cache.data is null");
  refused([](auto& p) { p.slot_mapping.dtype = VKV_DTYPE_I32; }, "slot_mapping.dtype is i32, expected i64");
  refused([](auto& p) { p.positions.dtype = VKV_DTYPE_I32; }, "positions.dtype is i32, expected i64");
  refused([](auto& p) { p.positions.shape[0] = 3; }, "positions.shape[0] is 3, expected at least 4");
  refused([](auto& p) { p.q_pe.shape[0] = 3; }, "q_pe.shape[0] is 3, expected at least 4");
  refused([](auto& p) { p.k_pe.shape[0] = 3; }, "k_pe.shape[0] is 3, expected at least 4");
  refused([](auto& p) { p.kv_c.shape[0] = 3; }, "kv_c.shape[0] is 3, expected at least 4");
  refused([](auto& p) { p.q_pe.dtype = VKV_DTYPE_FP8_E5M2; }, "q_pe.dtype is e5m2, expected f16 or bf16 or f32");
  refused([](auto& p) { p.k_pe.dtype = VKV_DTYPE_F16; }, "k_pe.dtype is f16, expected bf16");
  refused([](auto& p) { p.kv_c.dtype = VKV_DTYPE_F16; }, "kv_c.dtype is f16, expected bf16");
  refused([](auto& p) { p.cos_sin_cache.dtype = VKV_DTYPE_F16; }, "cos_sin_cache.dtype is f16, expected bf16");
  refused([](auto& p) { p.q_pe.shape[2] = 7; }, "q_pe.shape[2] is 7, expected a multiple of 2");
  refused([](auto& p) { p.q_pe.stride[2] = 2; }, "q_pe.stride[2] is 2, expected 1");
  refused([](auto& p) { p.q_pe.stride[1] = 0; }, "q_pe.stride[1] is 0, but the tensor is written");
  refused([](auto& p) { p.k_pe.stride[0] = 0; }, "k_pe.stride[0] is 0, but the tensor is written");
  refused([](auto& p) { p.k_pe.shape[1] = 6; }, "k_pe.shape[1] is 6, expected 8");
  refused([](auto& p) { p.cos_sin_cache.shape[1] = 4; }, "cos_sin_cache.shape[1] is 4, expected 8");
  refused([](auto& p) { p.kv_cache.dtype = VKV_DTYPE_FP8_DS_MLA; },
          "kv_cache.dtype is fp8_ds_mla, expected bf16 or e4m3 or e5m2");
  refused([](auto& p) { p.kv_cache.shape[2] = 23; }, "kv_cache.shape[2] is 23, expected 24");
  refused([](auto& p) { p.kv_cache.stride[0] = 0; }, "kv_cache.stride[0] is 0, but the tensor is written");
  refused([](auto& p) { p.kv_cache_scale.shape[0] = 2; }, "kv_cache_scale.shape[0] is 2, expected 1");
  refused([](auto& p) { p.rope_style = 3; }, "rope_style is 3, expected 0 to 2");
  refused([](auto& p) { p.reserved0 = 1; }, "reserved0 is 1");
  refused([](auto& p) { p.k_pe.data = p.q_pe.data; }, "the memory of k_pe");
  refused([](auto& p) { p.kv_c.data = p.q_pe.data; }, "the memory of kv_c");
  refused([](auto& p) { p.kv_c.data = p.k_pe.data; }, "the memory of kv_c");
  refused([](auto& p) { p.cos_sin_cache.data = p.q_pe.data; }, "the memory of cos_sin_cache");
  refused([](auto& p) { p.cos_sin_cache.data = p.k_pe.data; }, "the memory of cos_sin_cache");
  refused([](auto& p) { p.kv_cache.data = p.q_pe.data; }, "the memory of q_pe");
  refused([](auto& p) { p.kv_cache.data = p.k_pe.data; }, "the memory of k_pe");
  refused([](auto& p) { p.kv_cache.data = p.kv_c.data; }, "the memory of kv_c");
  refused([](auto& p) { p.kv_cache.data = p.cos_sin_cache.data; }, "the memory of cos_sin_cache");
  refused([](auto& p) { p.flags = 1; }, "flags is 0x1", VKV_ERROR_NOT_SUPPORTED);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    outputs[i]->download();
    CHECK(support::first_difference(outputs[i]->image(), before[i]) == -1);
  }
  CHECK(support::take_report(device).count == 0);
}
