// PointerMap: what memory an address is in, asked from the driver once for each allocation that a call touches.
#pragma once

#include <cstdint>

namespace vkv::cuda {

enum class Where : uint8_t {
  kDevice,     // of the context's device, or managed
  kPinned,     // host memory that the device reads and writes
  kPageable,   // host memory that CUDA knows nothing of
  kElsewhere,  // another device's, or an access that leaves its allocation
};

struct Region {
  uintptr_t begin, end;
  Where where;
  int64_t to_device;  // kPinned: from a host address to the device's for it

  bool holds(const void* p, int64_t bytes) const {
    const auto a = reinterpret_cast<uintptr_t>(p);
    return a >= begin && a < end && static_cast<uint64_t>(bytes) <= end - a;
  }
};

inline bool is_host(Where where) { return where == Where::kPinned || where == Where::kPageable; }

class PointerMap {
 public:
  // `begin`, `bytes`: memory that is one whole if the driver does not know it.
  explicit PointerMap(int device, const void* begin = nullptr, int64_t bytes = 0)
      : device_(device), begin_(reinterpret_cast<uintptr_t>(begin)), end_(begin_ + static_cast<uintptr_t>(bytes)) {}

  // The region of [p, p + bytes); valid until the next call.
  const Region& find(const void* p, int64_t bytes);

 private:
  Region ask(uintptr_t address, int64_t bytes) const;

  static constexpr int kRegions = 64;  // caches of as many layers and more, each an allocation of its own
  const int device_;
  const uintptr_t begin_, end_;
  Region regions_[kRegions];
  Region outside_ = {0, 0, Where::kElsewhere, 0};
  int count_ = 0, last_ = 0, oldest_ = 0;
};

}  // namespace vkv::cuda
