// How copies between pinned host memory and the device are done, by their length. The one place with measured numbers.
#pragma once

#include <cstdint>

namespace vkv::cuda {

enum class Way : uint8_t {
  kThreads,  // a kernel whose threads read and write host memory themselves
  kBulk,     // a kernel whose bulk copy engine does, through shared memory; 16-byte alignment
  kBatch,    // the driver's batched copy
  kMemcpy,   // one copy-engine copy each
};

struct SwapPolicy {
  Way below;     // runs shorter than `from` bytes
  int64_t from;
  Way above;     // the others
  int ctas;      // of the kernels: enough to fill the bus
};

struct SwapPolicies {
  SwapPolicy to_device, to_host;
};

// One NVIDIA H200, PCIe 5 x16, 16 MiB in all, us:    64 KiB   4 KiB   one memcpy
//   plain kernel, host to device                        353     393      346
//   plain kernel, device to host                        353     373      330
//   batched copy, host to device                        560    8544
//   batched copy, device to host                        566    2369
// so a copy-engine copy costs about 1 us beyond its bytes: 5 % of a run of 1 MiB. tools/swap_methods.cpp measures them all.
constexpr SwapPolicies kSwapPolicies = {{Way::kThreads, int64_t{1} << 20, Way::kMemcpy, 16},
                                        {Way::kThreads, int64_t{1} << 19, Way::kMemcpy, 16}};

}  // namespace vkv::cuda
