#include "cpu/context.hpp"

#include <sched.h>

#include <cstdio>

#include "cpu/ops.hpp"

namespace vkv::cpu {

namespace {

int usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return n > 0 ? n : 1;
}

}  // namespace

CpuContext::CpuContext(int threads) : Context(kBackend), isa(detect_isa()), rows(row_kernels(isa)), pool(threads) {}

void CpuContext::describe(vkv_context_info& info) const {
  info.backend = VKV_BACKEND_CPU;
  info.num_threads = pool.threads();
#if defined(__x86_64__)
  const char* machine = "x86-64";
#elif defined(__aarch64__)
  const char* machine = "aarch64";
#else
  const char* machine = "cpu";
#endif
  std::snprintf(info.name, sizeof info.name, "%s %s", machine, isa_name(isa));
}

}  // namespace vkv::cpu

namespace vkv {

std::unique_ptr<Context> create_cpu_context(const ContextOptions& options) {
  return std::make_unique<cpu::CpuContext>(options.num_threads > 0 ? options.num_threads : cpu::usable_cpus());
}

}  // namespace vkv
