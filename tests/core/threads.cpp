// Threads: one context shared by many, contexts that come and go side by side, messages that do not mix.
#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cases/concat_and_cache_mla.hpp"
#include "cases/concat_mla_q.hpp"
#include "cases/convert_fp8.hpp"
#include "cases/gather_and_maybe_dequant_cache.hpp"
#include "cases/paged_attention.hpp"
#include "cases/reshape_and_cache_flash.hpp"
#include "support/catch.hpp"
#include "support/device.hpp"
#include "support/refusal.hpp"

namespace {

using Bytes = std::vector<uint8_t>;

// Catch2's checks are for one thread; threads count their faults instead.
int faults_in_threads(int threads, const std::function<int(int)>& body) {
  std::atomic<int> faults{0};
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t) all.emplace_back([&, t] { faults += body(t); });
  for (std::thread& thread : all) thread.join();
  return faults;
}

support::Device host() { return {"cpu", nullptr, &support::host_memory(), nullptr}; }

// An op on a problem of its own, large enough to be split among threads. Made twice, it is the same twice.
struct Job {
  std::function<vkv_status(const vkv_context*)> run;
  std::function<support::Array&()> out;

  // What the op wrote; nothing if it was refused or wrote outside.
  Bytes result(const vkv_context* ctx) const {
    out().fill_poison();
    if (run(ctx) != VKV_OK) return {};
    out().download();
    return out().intact() ? out().image() : Bytes{};
  }
};

template <class Problem, class Case, class Params, class Out>
Job job(const Case& c, vkv_status (*run)(const vkv_context*, const Params*, vkv_stream), Out out) {
  support::Random random(7);
  auto problem = std::make_shared<Problem>(host(), c, random);
  const Params params = problem->params();
  return {[=](const vkv_context* ctx) { return run(ctx, &params, nullptr); },
          [=]() -> support::Array& { return out(*problem); }};
}

Job attention_job() {
  cases::PagedAttention c;
  c.lengths = {700, 3, 900};
  auto problem = std::make_shared<cases::PagedAttentionProblem>(host(), c, 7);
  return {[=](const vkv_context* ctx) {
            vkv_paged_attention_params params = problem->params();
            size_t bytes = 0;
            vkv_paged_attention_workspace_size(ctx, &params, &bytes);
            const std::unique_ptr<void, void (*)(void*)> memory(std::aligned_alloc(256, bytes / 256 * 256 + 256), std::free);
            params.workspace = memory.get();
            params.workspace_size = bytes;
            return vkv_paged_attention(ctx, &params, nullptr);
          },
          [=]() -> support::Array& { return problem->out; }};
}

std::vector<Job> jobs() {
  const cases::ConcatMlaQ concat{"", VKV_DTYPE_BF16, 60, 16, 128, 64};
  const cases::ConcatAndCacheMla mla{"", VKV_DTYPE_BF16, VKV_DTYPE_FP8_DS_MLA, 100, 512, 64, 3, 64};
  const cases::ConvertFp8 convert{"", VKV_DTYPE_FP8_E4M3, VKV_DTYPE_BF16, {300, 300}};
  const cases::GatherAndMaybeDequantCache gather{"", VKV_DTYPE_FP8_E4M3, VKV_DTYPE_BF16, 200, {{200, 300}, 16, {}, 0, 0, 40}, 0.5};
  const cases::ReshapeAndCacheFlash flash{"", VKV_DTYPE_BF16, VKV_DTYPE_FP8_E4M3, 80, 8, 128};
  return {
      attention_job(),
      job<cases::ConcatMlaQProblem>(concat, vkv_concat_mla_q, [](auto& p) -> auto& { return p.q_out; }),
      job<cases::ConcatAndCacheMlaProblem>(mla, vkv_concat_and_cache_mla, [](auto& p) -> auto& { return p.kv_cache; }),
      job<cases::ConvertFp8Problem>(convert, vkv_convert_fp8, [](auto& p) -> auto& { return p.dst; }),
      job<cases::GatherAndMaybeDequantCacheProblem>(gather, vkv_gather_and_maybe_dequant_cache,
                                                    [](auto& p) -> auto& { return p.dst; }),
      job<cases::ReshapeAndCacheFlashProblem>(flash, vkv_reshape_and_cache_flash,
                                              [](auto& p) -> auto& { return p.key_cache(); }),
  };
}

std::vector<Bytes> results(const std::vector<Job>& jobs, const vkv_context* ctx) {
  std::vector<Bytes> all;
  for (const Job& job : jobs) all.push_back(job.result(ctx));
  return all;
}

}  // namespace

TEST_CASE("many threads run different ops on one context, each with the result that it has alone") {
  constexpr int kThreads = 6;
  const std::vector<Bytes> alone = results(jobs(), support::cpu_context(1).get());
  for (const Bytes& bytes : alone) REQUIRE_FALSE(bytes.empty());

  const support::OwnedContext shared = support::cpu_context(4);
  std::vector<std::vector<Job>> own;
  for (int t = 0; t < kThreads; ++t) own.push_back(jobs());
  CHECK(faults_in_threads(kThreads, [&](int t) {
    int faults = 0;
    for (std::size_t i = 0; i < 4 * alone.size(); ++i) {
      const std::size_t which = (i + static_cast<std::size_t>(t)) % alone.size();
      faults += own[static_cast<std::size_t>(t)][which].result(shared.get()) != alone[which];
    }
    return faults;
  }) == 0);
  support::Device device = host();
  device.ctx = shared.get();
  CHECK(support::take_report(device).count == 0);
}

TEST_CASE("contexts are created, used and destroyed side by side") {
  constexpr int kThreads = 6;
  std::vector<Job> own;
  for (int t = 0; t < kThreads; ++t) own.push_back(jobs()[1]);
  const Bytes alone = own[0].result(support::cpu_context(1).get());
  CHECK(faults_in_threads(kThreads, [&](int t) {
    int faults = 0;
    for (int i = 0; i < 10; ++i) {
      faults += own[static_cast<std::size_t>(t)].result(support::cpu_context(1 + (t + i) % 5).get()) != alone;
    }
    return faults;
  }) == 0);
}

TEST_CASE("a context may have more threads than the machine, and than the work has parts") {
  const std::vector<Job> all = jobs();
  const std::vector<Bytes> alone = results(all, support::cpu_context(1).get());
  for (int threads : {2, 3, 64}) {
    CAPTURE(threads);
    CHECK(results(all, support::cpu_context(threads).get()) == alone);
  }
}

TEST_CASE("each thread has its own message") {
  const std::string before = vkv_last_error_message();
  CHECK(faults_in_threads(8, [](int t) {
    int faults = std::string(vkv_last_error_message()).empty() ? 0 : 1;
    vkv_context_params params = VKV_INIT(vkv_context_params);
    params.num_threads = 2000 + t;
    for (int i = 0; i < 200; ++i) {
      vkv_context* ctx = nullptr;
      faults += vkv_context_create(&params, &ctx) != VKV_ERROR_INVALID_ARGUMENT;
      std::this_thread::yield();
      const std::string want = "vkv_context_create: num_threads is " + std::to_string(2000 + t) + ", expected at most 1024";
      faults += vkv_last_error_message() != want;
    }
    return faults;
  }) == 0);
  CHECK(vkv_last_error_message() == before);
}
