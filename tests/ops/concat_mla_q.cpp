// concat_mla_q against its reference, bit for bit; refusals.
#include "cases/concat_mla_q.hpp"

#include "support/catch.hpp"
#include "support/reference/concat_mla_q.hpp"
#include "support/refusal.hpp"

using support::Array;
using support::Random;

TEST_CASE("concat_mla_q copies every bit") {
  uint64_t stream = 0;
  for (const support::Device& device : support::devices()) {
    for (const cases::ConcatMlaQ& c : cases::concat_mla_q()) {
      CAPTURE(device.name, c.name, c.tokens, c.heads, c.nope, c.rope, support::process_seed());
      Random random(++stream);
      cases::ConcatMlaQProblem problem(device, c, random);
      const auto params = problem.params();
      VKV_CHECK_OK(vkv_concat_mla_q_supported(device.ctx, &params));
      VKV_CHECK_OK(vkv_concat_mla_q(device.ctx, &params, device.stream));
      support::synchronize(device);
      problem.q_out.download();
      const auto want = reference::concat_mla_q(problem.ql_nope, problem.q_pe);
      REQUIRE(static_cast<int64_t>(want.size()) == problem.q_out.size());
      int64_t wrong = 0;
      for (int64_t i = 0; i < problem.q_out.size(); ++i) wrong += problem.q_out.bits(i) != want[static_cast<std::size_t>(i)];
      CHECK(wrong == 0);
      CHECK(problem.q_out.intact());
    }
  }
}

TEST_CASE("concat_mla_q refuses bad input and writes nothing") {
  const support::Device& device = support::devices().front();
  Random random(1);
  cases::ConcatMlaQProblem problem(device, {"", VKV_DTYPE_BF16, 4, 2, 16, 8}, random);
  const auto good = problem.params();
  const auto refused = [&](auto change, vkv_status status, const char* words) {
    auto p = good;
    change(p);
    VKV_CHECK_REFUSED(vkv_concat_mla_q(device.ctx, &p, device.stream), status, words);
  };
  refused([](auto& p) { p.ql_nope.data = nullptr; }, VKV_ERROR_INVALID_ARGUMENT, "ql_nope.data is null");
  refused([](auto& p) { p.ql_nope = {}; }, VKV_ERROR_INVALID_ARGUMENT, "ql_nope is absent");
  refused([](auto& p) { p.q_pe.ndim = 2; }, VKV_ERROR_INVALID_ARGUMENT, "q_pe.ndim is 2, expected 3");
  refused([](auto& p) { p.q_pe.dtype = VKV_DTYPE_F16; }, VKV_ERROR_INVALID_ARGUMENT, "q_pe.dtype is f16, expected bf16");
  refused([](auto& p) { p.q_pe.shape[1] = 3; }, VKV_ERROR_INVALID_ARGUMENT, "q_pe.shape[1] is 3, expected 2");
  refused([](auto& p) { p.q_out.shape[2] = 23; }, VKV_ERROR_INVALID_ARGUMENT, "q_out.shape[2] is 23, expected 24");
  refused([](auto& p) { p.q_out.stride[2] = 2; }, VKV_ERROR_INVALID_ARGUMENT, "q_out.stride[2] is 2, expected 1");
  refused([](auto& p) { p.q_out.stride[0] = 0; }, VKV_ERROR_INVALID_ARGUMENT, "q_out.stride[0] is 0");
  refused([](auto& p) { p.q_out.data = p.ql_nope.data; }, VKV_ERROR_INVALID_ARGUMENT, "the memory of ql_nope");
  refused([](auto& p) { p.ql_nope.dtype = VKV_DTYPE_FP8_E4M3; }, VKV_ERROR_INVALID_ARGUMENT, "expected f16 or bf16 or f32");
  refused([](auto& p) { p.flags = 1; }, VKV_ERROR_NOT_SUPPORTED, "flags is 0x1");
  problem.q_out.download();
  for (int64_t i = 0; i < problem.q_out.size(); ++i) REQUIRE(std::isnan(problem.q_out.at(i)));
}
