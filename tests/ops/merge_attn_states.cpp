// merge_attn_states against its float64 reference; empty sides, NaN, in-place outputs; refusals.
#include "cases/merge_attn_states.hpp"

#include <algorithm>

#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/lazy_memory.hpp"
#include "support/reference/merge_attn_states.hpp"
#include "support/refusal.hpp"

using cases::InPlace;
using cases::MergeAttnStates;
using Problem = cases::MergeAttnStatesProblem;
using support::Array;
using support::Device;
using support::Random;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

// Largest relative error of one element: half an ulp of the output's dtype, to which the float32 arithmetic adds about
// 2^-22 (exp, a sum, a division, two products, a sum; the rounding of p - s matters only for small weights).
double tolerance(vkv_dtype output) {
  const double arithmetic = 0x1p-21;
  switch (output) {
    case VKV_DTYPE_F16: return 0x1p-11 + arithmetic;
    case VKV_DTYPE_BF16: return 0x1p-8 + arithmetic;
    case VKV_DTYPE_FP8_E4M3: return 0x1p-4 + arithmetic;
    default: return arithmetic;
  }
}

double largest(const std::vector<double>& values) {
  double most = 0;
  for (double v : values) most = std::isfinite(v) ? std::max(most, std::fabs(v)) : most;
  return most;
}

void run(const Device& device, Problem& problem) {
  const auto params = problem.params();
  VKV_CHECK_OK(vkv_merge_attn_states_supported(device.ctx, &params));
  VKV_CHECK_OK(vkv_merge_attn_states(device.ctx, &params, device.stream));
  support::synchronize(device);
}

void check(const Device& device, Problem& problem) {
  const MergeAttnStates& c = problem.c;
  auto want = reference::merge_attn_states(problem.prefix_output, problem.prefix_lse, problem.suffix_output,
                                           problem.suffix_lse, c.tokens - c.without_context);
  if (c.scale != 0) {
    for (double& x : want.output) {
      if (!std::isnan(x)) x = std::clamp(x / static_cast<float>(c.scale), -448.0, 448.0);
    }
  }
  run(device, problem);
  Array& output = problem.output();
  output.download();
  const double relative = tolerance(output.dtype());
  VKV_CHECK_CLOSE(output, want.output, relative, relative * largest(want.output));
  CHECK(output.intact());
  if (!c.with_lse) return;
  Array& lse = problem.lse();
  lse.download();
  // Two float32 roundings, one of the logarithm and one of the sum, each half an ulp of at most the largest.
  VKV_CHECK_CLOSE(lse, want.lse, 0x1p-22, 0x1p-22 * std::max(1.0, largest(want.lse)));
  CHECK(lse.intact());
}

// One row of one head with the numbers given: prefix {1, 2, 3}, suffix {10, 20, 30}.
struct Row {
  double p, s;
  std::vector<double> output;
  double lse;
};

void check_row(const Device& device, const Row& row, int64_t without_context) {
  CAPTURE(device.name, row.p, row.s, without_context);
  Random random(1);
  Problem problem(device, {"", VKV_DTYPE_F32, 1, 1, 3, without_context, 0, true, false}, random);
  problem.prefix_output.fill(std::isinf(row.p) ? std::vector<double>(3, kNan) : std::vector<double>{1, 2, 3});
  problem.suffix_output.fill(std::isinf(row.s) ? std::vector<double>(3, kNan) : std::vector<double>{10, 20, 30});
  problem.prefix_lse.fill({row.p});
  problem.suffix_lse.fill({row.s});
  run(device, problem);
  problem.own_output.download();
  problem.own_lse.download();
  // Exact: one weight is 1 and the other 0, or both are halves.
  for (int64_t d = 0; d < 3; ++d) {
    const double got = problem.own_output.at(d), want = row.output[static_cast<std::size_t>(d)];
    CHECK((std::isnan(want) ? std::isnan(got) : got == want));
  }
  const double got = problem.own_lse.at(0);
  CHECK((std::isnan(row.lse) ? std::isnan(got) : got == static_cast<float>(row.lse)));
}

}  // namespace

TEST_CASE("merge_attn_states matches its reference") {
  uint64_t stream = 0;
  for (const Device& device : support::devices()) {
    for (const MergeAttnStates& c : cases::merge_attn_states()) {
      CAPTURE(device.name, c.name, c.dtype, c.tokens, c.heads, c.dim, static_cast<int>(c.output),
              static_cast<int>(c.lse));
      Random random(++stream);
      Problem problem(device, c, random);
      check(device, problem);
    }
  }
}

TEST_CASE("merge_attn_states gives the same bits with every set of vector units and in place") {
  for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_BF16, VKV_DTYPE_F32}) {
    for (double scale : {0.0, 0.01}) {
      std::vector<uint64_t> first;
      for (const Device& device : support::vector_unit_devices()) {
        for (InPlace where : {InPlace::no, InPlace::prefix, InPlace::suffix}) {
          if (scale != 0 && where != InPlace::no) continue;
          CAPTURE(device.name, dtype, scale, static_cast<int>(where), support::process_seed());
          Random random(100);
          MergeAttnStates c{"", dtype, 6, 5, 203, 2, scale};
          Problem problem(device, c, random);
          problem.c.output = problem.c.lse = where;
          check(device, problem);
          std::vector<uint64_t> bits;
          for (Array* array : {&problem.output(), &problem.lse()}) {
            for (int64_t i = 0; i < array->size(); ++i) bits.push_back(array->bits(i));
          }
          if (first.empty()) first = bits;
          const bool same = bits == first;
          CHECK(same);
        }
      }
    }
  }
}

TEST_CASE("merge_attn_states: empty sides have weight 0, and NaN stays") {
  const std::vector<double> prefix = {1, 2, 3}, suffix = {10, 20, 30}, zero(3, 0.0), nan(3, kNan);
  for (const Device& device : support::devices()) {
    for (double empty : {kInfinity, -kInfinity}) {
      check_row(device, {2.5, empty, prefix, 2.5}, 0);
      check_row(device, {empty, 2.5, suffix, 2.5}, 0);
      check_row(device, {empty, -empty, zero, -kInfinity}, 0);
      check_row(device, {empty, empty, zero, -kInfinity}, 0);
      check_row(device, {empty, kNan, nan, kNan}, 0);
      check_row(device, {kNan, empty, nan, kNan}, 0);
      check_row(device, {3.0, empty, zero, -kInfinity}, 1);
      check_row(device, {empty, 2.5, suffix, 2.5}, 1);
    }
    check_row(device, {kNan, 2.5, nan, kNan}, 0);
    check_row(device, {2.5, kNan, nan, kNan}, 0);
    check_row(device, {kNan, kNan, nan, kNan}, 0);
    check_row(device, {kNan, 2.5, suffix, 2.5}, 1);
    check_row(device, {2.5, kNan, nan, kNan}, 1);
    check_row(device, {-1.5, -1.5, {5.5, 11, 16.5}, -1.5 + std::log(2.0)}, 0);
    // Too far apart for the smaller weight to count, up to the largest numbers.
    check_row(device, {100, -100, prefix, 100}, 0);
    check_row(device, {-3e38, 3e38, suffix, static_cast<float>(3e38)}, 0);
    check_row(device, {-3e38, -3e38, {5.5, 11, 16.5}, static_cast<float>(-3e38)}, 0);
  }
}

TEST_CASE("merge_attn_states: weights never overflow") {
  for (const Device& device : support::devices()) {
    Random random(200);
    Problem problem(device, {"", VKV_DTYPE_F32, 1, 1, 3, 0, 0, true, false}, random);
    problem.prefix_output.fill({3.4e38, kInfinity, 1});
    problem.suffix_output.fill({3.4e38, 2, -kInfinity});
    problem.prefix_lse.fill({0.25});
    problem.suffix_lse.fill({0.25});
    check(device, problem);
    CHECK(problem.own_output.at(0) > 3.3e38);
    CHECK(problem.own_output.at(1) == kInfinity);
    CHECK(problem.own_output.at(2) == -kInfinity);
  }
}

TEST_CASE("merge_attn_states stores e4m3 as x / output_scale, saturating, NaN as NaN") {
  for (const Device& device : support::devices()) {
    Random random(300);
    Problem problem(device, {"", VKV_DTYPE_F32, 1, 1, 6, 0, 0.5, true, false}, random);
    for (double other : {0.0, kInfinity}) {  // merged with an equal side, and alone
      problem.prefix_output.fill({1, -3, 1000, -kInfinity, kNan, 0.0625});
      problem.suffix_output.fill({1, -3, 1000, -kInfinity, kNan, 0.0625});
      problem.prefix_lse.fill({0});
      problem.suffix_lse.fill({other});
      run(device, problem);
      problem.own_output.download();
      for (int64_t i = 0; i < 6; ++i) {
        const double want[] = {2, -6, 448, -448, kNan, 0.125};
        CHECK(problem.own_output.bits(i) == support::encode(VKV_DTYPE_FP8_E4M3, want[i]));
      }
    }
  }
}

TEST_CASE("merge_attn_states reaches past 2^32 elements on the CPU") {
  const Device& device = support::vector_unit_devices().front();
  constexpr int64_t kFar = (int64_t{1} << 32) + 5;  // strides of tokens, and of heads in an lse
  const support::LazyMemory output(2 * (kFar + 2)), lse(4 * (kFar + 2));
  if (!output.mapped() || !lse.mapped()) {
    WARN("this system gives no 24 GiB of address space");
    return;
  }
  const float prefix_lse[] = {0, 0, 0, 0}, suffix_lse[] = {0, 0, 0, 0};
  const uint16_t prefix[] = {0x3F80, 0x4000, 0x4040, 0x4080}, suffix[] = {0x4040, 0x4080, 0x40A0, 0x40C0};  // bf16
  const auto tensor = [](const void* data, vkv_dtype dtype, std::vector<int64_t> shape, std::vector<int64_t> stride) {
    vkv_tensor t{const_cast<void*>(data), dtype, static_cast<int32_t>(shape.size()), {}, {}};
    std::copy(shape.begin(), shape.end(), t.shape);
    std::copy(stride.begin(), stride.end(), t.stride);
    return t;
  };
  vkv_merge_attn_states_params p = VKV_INIT(vkv_merge_attn_states_params);
  p.prefix_output = tensor(prefix, VKV_DTYPE_BF16, {2, 2, 1}, {2, 1, 1});
  p.suffix_output = tensor(suffix, VKV_DTYPE_BF16, {2, 2, 1}, {2, 1, 1});
  p.output = tensor(output.data(), VKV_DTYPE_BF16, {2, 2, 1}, {kFar, 1, 1});
  p.prefix_lse = tensor(prefix_lse, VKV_DTYPE_F32, {2, 2}, {2, 1});
  p.suffix_lse = tensor(suffix_lse, VKV_DTYPE_F32, {2, 2}, {2, 1});
  p.output_lse = tensor(lse.data(), VKV_DTYPE_F32, {2, 2}, {kFar, 1});
  VKV_CHECK_OK(vkv_merge_attn_states(device.ctx, &p, nullptr));
  const auto* out = static_cast<const uint16_t*>(output.data());
  const auto* out_lse = static_cast<const float*>(lse.data());
  CHECK(out[0] == 0x4000);         // (1 + 3) / 2
  CHECK(out[1] == 0x4040);         // (2 + 4) / 2
  CHECK(out[kFar] == 0x4080);      // (3 + 5) / 2
  CHECK(out[kFar + 1] == 0x40A0);  // (4 + 6) / 2
  for (int64_t i : {int64_t{0}, int64_t{1}, kFar, kFar + 1}) CHECK(out_lse[i] == std::log(2.0f));
}

TEST_CASE("merge_attn_states refuses bad input and writes nothing") {
  const Device& device = support::devices().front();
  Random random(400);
  Problem problem(device, {"", VKV_DTYPE_BF16, 4, 3, 16}, random);
  Array fp8(device, VKV_DTYPE_FP8_E4M3, {4, 3, 16}), scale(device, VKV_DTYPE_F32, {1});
  const std::vector<uint8_t> before = problem.own_output.image(), lse_before = problem.own_lse.image();
  const auto good = problem.params();
  const auto refused = [&](auto change, const char* words, vkv_status status = VKV_ERROR_INVALID_ARGUMENT) {
    auto p = good;
    change(p);
    VKV_CHECK_REFUSED(vkv_merge_attn_states(device.ctx, &p, device.stream), status, words);
  };
  refused([](auto& p) { p.prefix_output = {}; }, "prefix_output is absent");
  refused([](auto& p) { p.suffix_lse.data = nullptr; }, "suffix_lse.data is null");
  refused([](auto& p) { p.output.data = nullptr; }, "output.data is null");
  refused([](auto& p) { p.prefix_output.dtype = VKV_DTYPE_FP8_E4M3; }, "prefix_output.dtype is e4m3, expected f16 or");
  refused([](auto& p) { p.suffix_output.dtype = VKV_DTYPE_F16; }, "suffix_output.dtype is f16, expected bf16");
  refused([](auto& p) { p.output.dtype = VKV_DTYPE_F16; }, "output.dtype is f16, expected bf16 or e4m3");
  refused([](auto& p) { p.output.dtype = VKV_DTYPE_FP8_E5M2; }, "output.dtype is e5m2, expected bf16 or e4m3");
  refused([](auto& p) { p.suffix_output.shape[0] = 3; }, "suffix_output.shape[0] is 3, expected 4");
  refused([](auto& p) { p.suffix_output.shape[1] = 2; }, "suffix_output.shape[1] is 2, expected 3");
  refused([](auto& p) { p.output.shape[2] = 15; }, "output.shape[2] is 15, expected 16");
  refused([](auto& p) { p.prefix_output.stride[2] = 2; }, "prefix_output.stride[2] is 2, expected 1");
  refused([](auto& p) { p.output.stride[1] = 0; }, "output.stride[1] is 0, but the tensor is written");
  refused([](auto& p) { p.prefix_lse.shape[0] = 4; }, "prefix_lse.shape[0] is 4, expected 3");
  refused([](auto& p) { p.suffix_lse.shape[1] = 3; }, "suffix_lse.shape[1] is 3, expected 4");
  refused([](auto& p) { p.output_lse.dtype = VKV_DTYPE_BF16; }, "output_lse.dtype is bf16, expected f32");
  refused([](auto& p) { p.output_lse.stride[1] = 0; }, "output_lse.stride[1] is 0, but the tensor is written");
  refused([](auto& p) { p.num_tokens_without_context = -1; }, "num_tokens_without_context is -1, expected at least 0");
  refused([](auto& p) { p.num_tokens_without_context = 5; }, "num_tokens_without_context is 5, expected at most 4");
  refused([&](auto& p) { p.output = fp8.view(); }, "output_scale is absent, but output.dtype is e4m3");
  refused([&](auto& p) { p.output_scale = scale.view(); }, "output_scale is given, but output.dtype is bf16");
  refused([](auto& p) { p.flags = 1; }, "flags is 0x1", VKV_ERROR_NOT_SUPPORTED);
  // In place means the same elements in the same places.
  refused([](auto& p) { p.output.data = p.suffix_output.data, p.output.stride[0] = 64; },
          "the memory of suffix_output");
  refused([](auto& p) { p.output.data = p.prefix_output.data, p.prefix_output.stride[1] = 20; },
          "the memory of prefix_output, but its dtype or strides are not those of prefix_output");
  refused([&](auto& p) {
    p.output.data = p.prefix_output.data, p.output.dtype = VKV_DTYPE_FP8_E4M3, p.output_scale = scale.view();
  }, "the memory of prefix_output");
  refused([](auto& p) { p.output_lse.data = p.prefix_lse.data, p.output_lse.stride[0] = 5; },
          "the memory of prefix_lse");
  refused([](auto& p) { p.output_lse.data = p.suffix_lse.data, p.output_lse.stride[0] = 5; },
          "the memory of suffix_lse");
  refused([](auto& p) { p.output_lse.data = p.output.data; }, "the memory of output_lse");
  refused([](auto& p) { p.output.data = p.suffix_lse.data; }, "the memory of suffix_lse");
  refused([](auto& p) { p.output_lse.data = p.suffix_output.data; }, "the memory of suffix_output");
  problem.own_output.download();
  problem.own_lse.download();
  CHECK(support::first_difference(problem.own_output.image(), before) == -1);
  CHECK(support::first_difference(problem.own_lse.image(), lse_before) == -1);
}
