// How copies between pinned host memory and the device are done, by their length. The one place with measured numbers.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>

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

// One NVIDIA H200, PCIe 5 x16, 16 MiB in all, us:    64 KiB   4 KiB   one memcpy
//   plain kernel, host to device                        353     393      346
//   plain kernel, device to host                        353     373      330
//   batched copy, host to device                        560    8544
//   batched copy, device to host                        566    2369
// so a copy-engine copy costs about 1 us beyond its bytes: 5 % of a run of 1 MiB.
constexpr SwapPolicy kToDevice = {Way::kThreads, int64_t{1} << 20, Way::kMemcpy, 16};
constexpr SwapPolicy kToHost = {Way::kThreads, int64_t{1} << 19, Way::kMemcpy, 16};

// For measurements: the environment variable VKV_SWAP names one way for all lengths (threads, bulk, batch or memcpy), and,
// after a colon, the number of CTAs.
inline SwapPolicy swap_policy(bool to_device) {
  static const struct Forced {
    int way = -1, ctas = 0;
    Forced() {
      const char* wanted = std::getenv("VKV_SWAP");
      if (wanted == nullptr) return;
      const char* const names[] = {"threads", "bulk", "batch", "memcpy"};
      for (int i = 0; i < 4; ++i) {
        if (std::strncmp(wanted, names[i], std::strlen(names[i])) == 0) way = i;
      }
      const char* colon = std::strchr(wanted, ':');
      if (colon != nullptr) ctas = std::atoi(colon + 1);
    }
  } forced;
  SwapPolicy policy = to_device ? kToDevice : kToHost;
  if (forced.way >= 0) policy.below = policy.above = static_cast<Way>(forced.way);
  if (forced.ctas > 0) policy.ctas = forced.ctas;
  return policy;
}

}  // namespace vkv::cuda
