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

// One NVIDIA H100, PCIe 5 x16; time as a multiple of one copy of the same bytes, 16 MiB in all, scattered:
//                                     4 KiB  64 KiB  256 KiB  1 MiB  4 MiB
//   threads, host to device            1.25    1.12     1.12   1.12   1.11
//   batched copy, host to device       6.78    1.37     1.09   1.03   1.01
//   a copy each, host to device       34.98    3.21     1.55   1.13   1.03
//   threads, device to host            1.21    1.09     1.08   1.08   1.08
//   batched copy, device to host       5.13    1.33     1.08   1.02   1.01
//   a copy each, device to host       29.12    2.72     1.42   1.10   1.02
// The bulk engine equals threads. Where the batched copy may not be used, copies are made one by one: from 1 MiB on, that
// within 2 % of threads. tools/swap_methods.cpp measures them all.
constexpr SwapPolicies kSwapPolicies = {{Way::kThreads, int64_t{1} << 20, Way::kBatch, 16},
                                        {Way::kThreads, int64_t{1} << 20, Way::kBatch, 16}};

}  // namespace vkv::cuda
