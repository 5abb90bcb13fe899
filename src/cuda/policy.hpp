// Grid sizes and vector widths, as pure functions of a launch's numbers.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/tensor.hpp"

namespace vkv::cuda {

constexpr unsigned kThreads = 256;

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// CTAs for `items` independent items, at most `per_thread` of them a thread at once: spread over the whole GPU first, then
// deeper. Kernels loop, so any grid is right.
inline int64_t spread(int64_t items, int per_thread, int num_sms) {
  const int64_t widest = std::min<int64_t>(ceil_div(items, kThreads), static_cast<int64_t>(num_sms) * (2048 / kThreads));
  const int64_t deepest = ceil_div(items, static_cast<int64_t>(kThreads) * per_thread);
  return std::min<int64_t>(std::max(widest, deepest), int64_t{1} << 30);
}

// The largest power of two that divides every address, stride and length added.
class Alignment {
 public:
  Alignment& add(int64_t bytes) {
    bits_ |= static_cast<uint64_t>(bytes);
    return *this;
  }
  Alignment& add(const void* address) { return add(static_cast<int64_t>(reinterpret_cast<uintptr_t>(address))); }
  // The address and the strides of the dimensions before `packed_from`, in bytes.
  Alignment& add(const Tensor& t, int packed_from) {
    add(t.data);
    for (int i = 0; i < packed_from; ++i) {
      if (t.shape[i] > 1) add(t.stride[i] * element_size(t.dtype));
    }
    return *this;
  }
  int64_t bytes(int64_t most = 16) const {
    const uint64_t all = bits_ | static_cast<uint64_t>(most);
    return static_cast<int64_t>(all & (~all + 1));
  }

 private:
  uint64_t bits_ = 0;
};

}  // namespace vkv::cuda
