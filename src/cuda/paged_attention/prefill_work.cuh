// Which rows a CTA of prefill computes. The rows of a KV head in a sequence (its query heads of query token 0, then
// those of token 1, and so on) are cut into tiles; tiles are numbered over all sequences that prefill serves, the last
// tile of each first, as it attends to most. All of it is found on the device, from the offsets as they are when the
// kernel runs.
#pragma once

#include "cuda/paged_attention/prefill.hpp"

namespace vkv::cuda {

constexpr int kPrefillThreads = 256;
constexpr int kPrefillRows = 128;  // of a tile: 16 a warp

#ifdef __CUDACC__

struct PrefillWork {
  int32_t sequence;  // negative: nothing to do
  int32_t tile;
};

struct PrefillWorkShared {
  int32_t totals[kPrefillThreads / 32];
  PrefillWork work;
};

// Of the values of all threads before this one.
template <class Op>
__device__ int32_t exclusive_scan(int32_t value, int32_t identity, int32_t (&totals)[kPrefillThreads / 32], Op op) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
  for (int d = 1; d < 32; d *= 2) {
    const int32_t before = __shfl_up_sync(0xFFFFFFFFu, value, d);
    if (lane >= d) value = op(before, value);
  }
  if (lane == 31) totals[warp] = value;
  __syncthreads();
  int32_t result = identity;
  for (int w = 0; w < warp; ++w) result = op(result, totals[w]);
  __syncthreads();
  const int32_t neighbour = __shfl_up_sync(0xFFFFFFFFu, value, 1);
  return lane == 0 ? result : op(result, neighbour);
}

// Called by all threads. A thread looks at a run of neighbouring sequences; lengths are those of
// AttentionSequences::read.
__device__ inline PrefillWork find_prefill_work(const AttentionParams& p, int32_t item, PrefillWorkShared& shared) {
  const AttentionSequences& q = p.sequences;
  const int32_t run = (p.num_seqs + kPrefillThreads - 1) / kPrefillThreads;
  const int32_t from = min(static_cast<int32_t>(threadIdx.x) * run, p.num_seqs), to = min(from + run, p.num_seqs);
  const int32_t last_token = static_cast<int32_t>(q.num_tokens);
  // Calls visit(sequence, tiles) for this thread's sequences, `begin` being where those before have ended.
  const auto walk = [&](int32_t begin, auto&& visit) {
    for (int32_t s = from; s < to; ++s) {
      begin = min(max(begin, q.query_start_loc.at(s)), last_token);
      const int32_t end = min(max(begin, q.query_start_loc.at(s + 1)), last_token);
      const int32_t tokens = min(end - begin, q.max_query_len);
      const int32_t rows = tokens * static_cast<int32_t>(p.group.divisor);
      visit(s, tokens < kPrefillQueries ? 0 : (rows - 1) / kPrefillRows + 1);
    }
  };

  if (threadIdx.x == 0) shared.work.sequence = -1;
  int32_t latest = 0;
  for (int32_t s = from; s < to; ++s) latest = max(latest, q.query_start_loc.at(s));
  const int32_t begin = exclusive_scan(latest, 0, shared.totals, [](int32_t a, int32_t b) { return max(a, b); });
  int32_t tiles = 0;
  walk(begin, [&](int32_t, int32_t n) { tiles += n; });
  int32_t first = exclusive_scan(tiles, 0, shared.totals, [](int32_t a, int32_t b) { return a + b; });
  if (item >= first && item < first + tiles) {
    walk(begin, [&](int32_t s, int32_t n) {
      if (item >= first && item < first + n) shared.work = {s, first + n - 1 - item};
      first += n;
    });
  }
  __syncthreads();
  return shared.work;
}

#endif

}  // namespace vkv::cuda
