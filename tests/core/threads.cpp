// Threads: one context shared by many, contexts that come and go side by side, messages and reports that do not mix.
#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "cases/concat_and_cache_mla.hpp"
#include "cases/concat_mla_q.hpp"
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

support::Device host(vkv_context* ctx) { return {"cpu", ctx, &support::host_memory(), nullptr}; }

// An op on a problem that is the same each time and large enough to be split among threads; gives the bytes of what it wrote.
using Job = std::function<Bytes(vkv_context*)>;

template <class Problem, class Case, class Params, class Output>
Job job(const Case& c, vkv_status (*run)(const vkv_context*, const Params*, vkv_stream), Output output) {
  return [=](vkv_context* ctx) {
    support::Random random(7);
    Problem problem(host(ctx), c, random);
    const Params params = problem.params();
    if (run(ctx, &params, nullptr) != VKV_OK) return Bytes{};
    support::Array& out = output(problem);
    out.download();
    return out.intact() ? out.image() : Bytes{};
  };
}

std::vector<Job> jobs() {
  return {
      job<cases::ConcatMlaQProblem>(cases::ConcatMlaQ{"", VKV_DTYPE_BF16, 60, 16, 128, 64}, vkv_concat_mla_q,
                                    [](auto& p) -> auto& { return p.q_out; }),
      job<cases::ReshapeAndCacheFlashProblem>(
          cases::ReshapeAndCacheFlash{"", VKV_DTYPE_BF16, VKV_DTYPE_FP8_E4M3, 80, 8, 128}, vkv_reshape_and_cache_flash,
          [](auto& p) -> auto& { return p.key_cache(); }),
      job<cases::ConcatAndCacheMlaProblem>(
          cases::ConcatAndCacheMla{"", VKV_DTYPE_BF16, VKV_DTYPE_FP8_DS_MLA, 100, 512, 64, 3, 64}, vkv_concat_and_cache_mla,
          [](auto& p) -> auto& { return p.kv_cache; }),
  };
}

}  // namespace

TEST_CASE("many threads run different ops on one context, each with the result that it has alone") {
  const std::vector<Job> all = jobs();
  std::vector<Bytes> alone;
  const support::OwnedContext single = support::cpu_context(1);
  for (const Job& job : all) alone.push_back(job(single.get()));
  for (const Bytes& bytes : alone) REQUIRE_FALSE(bytes.empty());

  const support::OwnedContext shared = support::cpu_context(4);
  CHECK(faults_in_threads(8, [&](int t) {
    int faults = 0;
    for (std::size_t i = 0; i < 2 * all.size(); ++i) {
      const std::size_t which = (i + static_cast<std::size_t>(t)) % all.size();
      faults += all[which](shared.get()) != alone[which];
    }
    return faults;
  }) == 0);
  CHECK(support::take_report(host(shared.get())).count == 0);
}

TEST_CASE("contexts are created, used and destroyed side by side") {
  const Job job = jobs().front();
  const Bytes alone = job(support::cpu_context(1).get());
  CHECK(faults_in_threads(6, [&](int t) {
    int faults = 0;
    for (int i = 0; i < 5; ++i) faults += job(support::cpu_context(1 + (t + i) % 5).get()) != alone;
    return faults;
  }) == 0);
}

TEST_CASE("a context may work with more threads than the machine has, and than the work has parts") {
  const Job job = jobs().front();
  const Bytes alone = job(support::cpu_context(1).get());
  for (int threads : {2, 3, 64}) CHECK(job(support::cpu_context(threads).get()) == alone);
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
