// Ragged: which sequence owns a row of dst, and where that row's entry lies. A warp asks together, for one row or for up to 32
// consecutive ones, one a lane: the bounds of 32 sequences come in one load, and each further load narrows the search 32 times.
// Memory-safe whatever the bounds hold.
#pragma once

#include <cstdint>

#include "cuda/primitives/paging.cuh"

namespace vkv::cuda {

// Where a row's entry lies. The two negative blocks: it has no place, so that the row becomes 0; or nobody owns the row.
struct Source {
  static constexpr int32_t kNowhere = -1, kNotOwned = -2;
  int32_t block;
  uint32_t offset;
};

struct Ragged {
  const int32_t* bounds;  // first row of each sequence, not decreasing: cu_seq_lens or workspace_starts
  int64_t bounds_stride;
  const int32_t* seq_starts;  // null = 0
  int64_t seq_starts_stride;
  uint32_t batch;
  uint32_t num_bounds;  // batch + 1: the last one ends the last sequence; batch: that one never ends
  int64_t buffer_rows;  // of dst
  BlockTable table;

#ifdef __CUDACC__
  static constexpr unsigned kWarp = 0xFFFFFFFFu;

  // 32 consecutive sequences' numbers, one a lane.
  struct Window {
    uint32_t first;
    int32_t bound, start;
  };

  // The only window of a small batch, to be loaded before anything else; of a larger one, nothing yet.
  __device__ Window first_window(unsigned lane) const { return num_bounds > 32 ? Window{} : load_window(0, lane); }

  // The entry of one row. All lanes of the warp call it, with the same row; `reports`: it is this warp's to report.
  __device__ Source find_one(Window window, int32_t row, unsigned lane, bool reports) const {
    const TableGuess guess = table.guess(static_cast<uint32_t>(row));
    if (num_bounds > 32) window = window_of(row, lane);
    const unsigned before = __ballot_sync(kWarp, window.first + lane < num_bounds && window.bound <= row);
    const int at = before == 0 ? 0 : 31 - __clz(before);
    const int32_t from = __shfl_sync(kWarp, window.bound, at), start = __shfl_sync(kWarp, window.start, at);
    const uint32_t sequence = window.first + at;
    if (before == 0 || sequence >= batch) return {Source::kNotOwned, 0};
    return find_in(sequence, start, static_cast<int64_t>(row) - from, reports && lane == 0, guess);
  }

  // The entry of row `first_row + lane`, for the first `count` lanes.
  __device__ Source find_run(Window window, int32_t first_row, uint32_t count, unsigned lane, bool reports) const {
    const auto row = static_cast<int32_t>(static_cast<uint32_t>(first_row) + lane);
    const int32_t last_row = first_row + static_cast<int32_t>(count) - 1;
    if (num_bounds > 32) window = window_of(first_row, lane);
    const bool has_bound = window.first + lane < num_bounds;
    // The owner's bound is the last one at or before the row: one for the whole run, unless another lies inside the run.
    const unsigned before = __ballot_sync(kWarp, has_bound && window.bound <= first_row);
    const unsigned inside = __ballot_sync(kWarp, has_bound && window.bound > first_row && window.bound <= last_row);
    const bool maybe_past = before == kWarp && window.first + 32 < num_bounds;
    uint32_t at = before == 0 ? 0 : 31 - __clz(before);
    if (inside != 0) at = bisect(window, row);
    int32_t from = __shfl_sync(kWarp, window.bound, at), start = __shfl_sync(kWarp, window.start, at);
    uint32_t sequence = window.first + at;
    if (at == 31 && (inside != 0 || maybe_past)) {
      sequence = last_bound_from(sequence, row);
      from = bound(sequence);
      start = sequence < batch ? seq_start(sequence) : 0;
    }
    if (lane >= count || sequence >= batch || from > row) return {Source::kNotOwned, 0};
    return find_in(sequence, start, static_cast<int64_t>(row) - from, reports, BlockTable::kNoGuess);
  }

  // Reports the bounds that are out of order or past dst. For `ctas` CTAs, each of which calls it once.
  __device__ void check(uint32_t cta, uint32_t ctas) const {
    for (uint32_t i = cta * blockDim.x + threadIdx.x; i < num_bounds; i += ctas * blockDim.x) {
      const int64_t value = bound(i), limit = i + 1 < num_bounds ? bound(i + 1) : buffer_rows;
      if (value < 0 || value > limit) note(table.report, table.op, VKV_REPORT_OFFSET, i, value, limit + 1);
    }
  }

 private:
  __device__ int32_t bound(uint32_t i) const { return __ldg(bounds + i * bounds_stride); }
  __device__ int32_t seq_start(uint32_t i) const { return seq_starts == nullptr ? 0 : __ldg(seq_starts + i * seq_starts_stride); }

  // Token `token` of a sequence, counted from its first row.
  __device__ Source find_in(uint32_t sequence, int32_t start, int64_t token, bool reports, TableGuess guess) const {
    if (start < 0) {
      if (reports) note(table.report, table.op, VKV_REPORT_POSITION, sequence, start, int64_t{1} << 31);
      return {Source::kNowhere, 0};
    }
    const Place place = table.find(sequence, start + token, reports, guess);
    return {static_cast<int32_t>(place.block), place.offset};
  }

  __device__ Window load_window(uint32_t first, unsigned lane) const {
    const uint32_t mine = first + lane;
    return {first, mine < num_bounds ? bound(mine) : 0, mine < batch ? seq_start(mine) : 0};
  }

  // The window that includes the last bound at or before `row`.
  __device__ Window window_of(int32_t row, unsigned lane) const {
    uint32_t first = 0, span = num_bounds;
    while (span > 32) {
      const uint32_t step = (span + 31) / 32, at = lane * step;
      const unsigned before = __ballot_sync(kWarp, at < span && bound(first + at) <= row);
      const uint32_t skipped = before == 0 ? 0 : (31 - __clz(before)) * step;
      first += skipped;
      span = min(span - skipped, step);
    }
    return load_window(first, lane);
  }

  // The last bound at or before `row` in the window, or its first.
  __device__ uint32_t bisect(const Window& window, int32_t row) const {
    uint32_t at = 0;
#pragma unroll 1
    for (uint32_t step = 16; step > 0; step /= 2) {
      const int32_t value = __shfl_sync(kWarp, window.bound, at + step);
      if (window.first + at + step < num_bounds && value <= row) at += step;
    }
    return at;
  }

  // The same among bounds `first` and up, by one lane alone: past the window, where many short sequences end.
  __device__ __noinline__ uint32_t last_bound_from(uint32_t first, int32_t row) const {
    uint32_t past = num_bounds;
    while (past - first > 1) {
      const uint32_t middle = first + (past - first) / 2;
      (bound(middle) <= row ? first : past) = middle;
    }
    return first;
  }
#endif
};

}  // namespace vkv::cuda
