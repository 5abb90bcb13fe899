// How kernels read the tokens of a tile, by layout: numbers [d, d + kLanes) of a token as a vector, and the same numbers
// asked of the caches ahead of time.
#pragma once

#include "cpu/attention.hpp"
#include "cpu/isa/vector.hpp"

namespace vkv::cpu::VKV_ISA {

enum class Nearness { second_cache, first_cache };

template <Nearness kTo>
inline __attribute__((always_inline)) void ask(const char* p) {
  __builtin_prefetch(p, 0, kTo == Nearness::first_cache ? 3 : 2);
}

// A token's numbers lie together.
template <class T>
struct Strided {
  using Number = T;
  static constexpr int64_t kSize = sizeof(typename T::Storage);

  static Vec vector(const AttentionTile& tile, int64_t t, int64_t d) {
    return Load<T>::vector(tile.base + tile.at[t] + d * kSize);
  }
  static Vec half(const AttentionTile& tile, int64_t t, int64_t d) {
    return Load<T>::half(tile.base + tile.at[t] + d * kSize);
  }
  // The cache lines that begin in numbers [d, d + n) of a token, were it aligned.
  template <Nearness kTo, int64_t n>
  static inline __attribute__((always_inline)) void fetch(const AttentionTile& tile, int64_t t, int64_t d) {
    const char* p = tile.base + tile.at[t] + d * kSize;
    if constexpr (n * kSize >= 64) {
      for (int64_t i = 0; i < n * kSize; i += 64) ask<kTo>(p + i);
    } else if (d * kSize % 64 == 0) {
      ask<kTo>(p);
    }
  }
};

// A tile in the first cache, for which there is nothing to ask.
struct Staged : Strided<F32> {
  template <Nearness kTo, int64_t n>
  static void fetch(const AttentionTile&, int64_t, int64_t) {}
};

// x-packed keys of 8 or 16 bits: runs of 16 bytes, `pitch` apart; four neighbouring tokens' runs are a cache line.
template <class T>
struct Runs {
  using Number = T;
  static constexpr int64_t kSize = sizeof(typename T::Storage), kRun = 16 / kSize;

  static const char* address(const AttentionTile& tile, int64_t t, int64_t d) {
    return tile.base + tile.at[t] + d / kRun * tile.pitch + d % kRun * kSize;
  }
  static Vec vector(const AttentionTile& tile, int64_t t, int64_t d) {
    const char* p = address(tile, t, d);
    if constexpr (kLanes > kRun) return Load<T>::two(p, p + tile.pitch);
    else return Load<T>::vector(p);
  }
  static Vec half(const AttentionTile& tile, int64_t t, int64_t d) { return Load<T>::half(address(tile, t, d)); }
  template <Nearness kTo, int64_t n>
  static inline __attribute__((always_inline)) void fetch(const AttentionTile& tile, int64_t t, int64_t d) {
    if (t % 4 != 0 || d % kRun != 0) return;
    for (int64_t i = 0; i < n; i += kRun) ask<kTo>(address(tile, t, d + i));
  }
};

}  // namespace vkv::cpu::VKV_ISA
