// Where memory or threads are out, calls answer with a status and a sentence; they neither crash nor throw.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "cases/concat_mla_q.hpp"
#include "support/catch.hpp"
#include "support/device.hpp"

namespace {

// Takes all memory that the process may still have. Never gives it back: for a child that is about to end.
void exhaust_memory() {
  const rlimit limit{1 << 20, 1 << 20};
  setrlimit(RLIMIT_AS, &limit);
  void* volatile last = nullptr;
  for (std::size_t size = std::size_t{1} << 24; size >= 8; size /= 2) {
    while ((last = std::malloc(size)) != nullptr) continue;
  }
}

// Runs `body` in a process of its own; true if it returned true there.
template <class Body>
bool in_child(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(body() ? 0 : 1);
  int status = -1;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("a context that finds no memory is refused as such") {
  CHECK(in_child([] {
    vkv_context_params params = VKV_INIT(vkv_context_params);
    params.backend = VKV_BACKEND_CPU;
    auto* ctx = reinterpret_cast<vkv_context*>(0x10);
    exhaust_memory();
    return vkv_context_create(&params, &ctx) == VKV_ERROR_OUT_OF_MEMORY && ctx == nullptr &&
           std::strcmp(vkv_last_error_message(), "vkv_context_create: out of host memory") == 0;
  }));
}

TEST_CASE("an existing context works and refuses as ever without a byte to spare") {
  CHECK(in_child([] {
    const support::OwnedContext ctx = support::cpu_context(1);
    float nope[2] = {1, 2}, rope[1] = {3}, out[3] = {0, 0, 0};
    vkv_concat_mla_q_params p = VKV_INIT(vkv_concat_mla_q_params);
    const auto view = [](float* data, int64_t n) {
      vkv_tensor t{};
      t.data = data;
      t.dtype = VKV_DTYPE_F32;
      t.ndim = 3;
      t.shape[0] = t.shape[1] = 1;
      t.shape[2] = n;
      return t;
    };
    p.ql_nope = view(nope, 2);
    p.q_pe = view(rope, 1);
    p.q_out = view(out, 3);
    exhaust_memory();
    const bool worked = vkv_concat_mla_q(ctx.get(), &p, nullptr) == VKV_OK && out[2] == 3;
    p.q_out.shape[2] = 4;
    return worked && vkv_concat_mla_q(ctx.get(), &p, nullptr) == VKV_ERROR_INVALID_ARGUMENT &&
           std::strncmp(vkv_last_error_message(), "vkv_concat_mla_q: q_out.shape[2] is 4", 37) == 0;
  }));
}

TEST_CASE("where the system gives no more threads, a context works with those that started") {
  CHECK(in_child([] {
    support::Random random(1);
    const support::OwnedContext single = support::cpu_context(1);
    cases::ConcatMlaQProblem problem({"cpu", single.get(), &support::host_memory(), nullptr},
                                     {"", VKV_DTYPE_BF16, 100, 16, 512, 64}, random);
    const vkv_concat_mla_q_params params = problem.params();
    bool good = vkv_concat_mla_q(single.get(), &params, nullptr) == VKV_OK;
    problem.q_out.download();
    const auto alone = problem.q_out.image();
    problem.q_out.fill_poison();

    const rlimit limit{1u << 30, 1u << 30};  // room for about a hundred stacks of 8 MiB
    setrlimit(RLIMIT_AS, &limit);
    const support::OwnedContext ctx = support::cpu_context(1024);
    vkv_context_info info = VKV_INIT(vkv_context_info);
    good = good && vkv_context_get_info(ctx.get(), &info) == VKV_OK && info.num_threads > 1 && info.num_threads < 1024 &&
           vkv_concat_mla_q(ctx.get(), &params, nullptr) == VKV_OK;
    problem.q_out.download();
    return good && problem.q_out.image() == alone;
  }));
}
