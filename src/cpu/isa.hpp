// Vector units, chosen at run time. Files under src/cpu/isa/ are compiled once for each, in a namespace of their own, and
// export one table of functions.
#pragma once

namespace vkv::cpu {

enum class Isa { generic, avx2, avx512 };

// The best that this machine has, or the one that the environment variable VKV_CPU_ISA names (generic, avx2, avx512) if
// the machine has it.
Isa detect_isa();
const char* isa_name(Isa isa);

}  // namespace vkv::cpu
