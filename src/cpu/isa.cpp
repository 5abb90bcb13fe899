#include "cpu/isa.hpp"

#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace vkv::cpu {

namespace {
bool has(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  if (isa == Isa::avx512) {
    return has(Isa::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  }
#endif
  return isa == Isa::generic;
}
}  // namespace

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
    default: return "generic";
  }
}

Isa detect_isa() {
  const char* wanted = std::getenv("VKV_CPU_ISA");
  for (Isa isa : {Isa::avx512, Isa::avx2, Isa::generic}) {
    if (has(isa) && (wanted == nullptr || std::strcmp(wanted, isa_name(isa)) == 0)) return isa;
  }
  return has(Isa::avx512) ? Isa::avx512 : has(Isa::avx2) ? Isa::avx2 : Isa::generic;
}

}  // namespace vkv::cpu
