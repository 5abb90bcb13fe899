// How the threads of a writer share its tokens: a thread keeps one unit of a token's run for its whole life, so that all
// it must find out about the unit it finds out once, and walks over tokens, several of them in flight.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cuda/policy.hpp"
#include "cuda/primitives/fast_div.cuh"

namespace vkv::cuda {

struct TokenTile {
  FastDiv units;        // of a token
  uint32_t rows = 1;    // tokens that a CTA looks at side by side
  uint32_t chunks = 1;  // CTAs that share a token
  uint32_t width = 0;   // threads of a CTA
  int32_t depth = 1;    // tokens that a thread has in flight
  int64_t tokens = 0;

  TokenTile() = default;
  // `deepest`: most tokens that the kernel has in flight. Few tokens are spread over the GPU instead.
  TokenTile(int64_t num_tokens, int64_t units_per_token, int32_t deepest, int num_sms)
      : units(static_cast<uint32_t>(units_per_token)), tokens(num_tokens) {
    const auto round_up = [](int64_t n) { return static_cast<uint32_t>(ceil_div(n, 32) * 32); };
    if (units_per_token <= kThreads) {
      rows = static_cast<uint32_t>(std::max<int64_t>(1, std::min(kThreads / units_per_token, num_tokens)));
      width = round_up(rows * units_per_token);
    } else {
      chunks = static_cast<uint32_t>(ceil_div(units_per_token, kThreads));
      width = round_up(ceil_div(units_per_token, chunks));
    }
    constexpr int64_t kCtasPerSm = 4;  // at once, at most 64 registers a thread
    depth = static_cast<int32_t>(std::clamp<int64_t>(ceil_div(num_tokens * chunks, rows * kCtasPerSm * num_sms), 1, deepest));
  }

  int64_t blocks() const {
    const int64_t groups = ceil_div(tokens, static_cast<int64_t>(rows) * depth);
    return std::min(groups, (int64_t{1} << 30) / chunks) * chunks;
  }

#ifdef __CUDACC__
  // This thread's unit and the first of its tokens; false if it has none.
  __device__ bool place(uint32_t& unit, uint32_t& row, int64_t& group) const {
    if (chunks == 1) {
      row = units.divide(threadIdx.x, unit);
      group = blockIdx.x;
      return row < rows;
    }
    const uint32_t chunk = blockIdx.x % chunks;
    row = 0;
    unit = chunk * width + threadIdx.x;
    group = blockIdx.x / chunks;
    return unit < units.divisor;
  }
  // Token i of a group; `tokens` or more where there is none.
  __device__ int64_t token(int64_t group, uint32_t row, int i) const {
    return i < depth ? (group * depth + i) * rows + row : tokens;
  }
  __device__ bool has(int64_t group) const { return group * (depth * static_cast<int64_t>(rows)) < tokens; }
  __device__ int64_t group_step() const { return gridDim.x / chunks; }
#endif
};

}  // namespace vkv::cuda
