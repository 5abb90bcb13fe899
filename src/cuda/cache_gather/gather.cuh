// gather: the kernel of all gathers. A row of dst is a number of units, each moved by one thread; what a unit is, how it is
// read from a cache entry and what is stored is the Mover's affair:
//
//     struct Mover {
//       Rows rows;
//       static constexpr int kIn, kOut;                                     // bytes from one unit to the next
//       struct Unit;                                                        // Unit{} stores zeros
//       const char* entry(Source source) const;
//       Unit load(const char* entry, uint32_t unit) const;
//       char* row(int64_t row) const;                                       // of dst
//       void store(char* row, uint32_t unit, const Unit& value) const;
//       struct Aside;                                                       // what a lane moves for its own row besides
//       Aside load_aside(Source source) const;
//       void store_aside(int64_t row, Source source, const Aside& value) const;
//     };
#pragma once

#include <algorithm>
#include <type_traits>

#include "cuda/cache_gather/ragged.cuh"
#include "cuda/launch.hpp"
#include "cuda/policy.hpp"
#include "cuda/primitives/fast_div.cuh"

namespace vkv::cuda {

constexpr unsigned kGatherThreads = 128;  // few warps a CTA: small gathers spread over more SMs

// How rows are dealt to warps: a task is `per_task` rows, or one slice of the units of one row.
struct Rows {
  uint32_t checkers;  // CTAs
  uint32_t tasks;
  uint32_t per_task;  // 1 .. 32; more than 1 only where a row is one slice
  Ragged ragged;
  uint32_t count;  // rows to consider
  FastDiv slices;  // of a row
  FastDiv slice;   // units of one
  int64_t units;   // of a row
};

// Units of a row that a thread has in flight: kDepth of a Mover that names it, else 4.
template <class Mover, class = void>
constexpr int kUnitsInFlight = 4;
template <class Mover>
constexpr int kUnitsInFlight<Mover, std::void_t<decltype(Mover::kDepth)>> = Mover::kDepth;

struct NoAside {
  struct Aside {};
  __device__ Aside load_aside(Source) const { return {}; }
  __device__ void store_aside(int64_t, Source, Aside) const {}
};

// Grid: the CTAs that check the bounds, and any number that move rows. Block: kGatherThreads. kRuns: a warp finds the entries of its task's rows, one a lane, then moves their units.
// Otherwise a task is one row or a slice of one, with less to compute before the first load. A thread has kDepth units in flight.
template <class Mover, bool kRuns>
__global__ void __launch_bounds__(kGatherThreads) gather_kernel(const __grid_constant__ Mover m) {
  constexpr int kDepth = kUnitsInFlight<Mover>;
  const Rows& rows = m.rows;
  if (blockIdx.x < rows.checkers) return rows.ragged.check(blockIdx.x, rows.checkers);
  const unsigned lane = threadIdx.x % 32, worker = blockIdx.x - rows.checkers, workers = gridDim.x - rows.checkers;
  const Ragged::Window window = rows.ragged.first_window(lane);
  for (uint32_t task = worker * (kGatherThreads / 32) + threadIdx.x / 32; task < rows.tasks;
       task += workers * (kGatherThreads / 32)) {
    if constexpr (kRuns) {
      const uint32_t units = rows.slice.divisor, first_row = task * rows.per_task;
      const uint32_t count = min(rows.per_task, rows.count - first_row), total = count * units;
      const Source source = rows.ragged.find_run(window, static_cast<int32_t>(first_row), count, lane, true);
      const unsigned found = __ballot_sync(Ragged::kWarp, source.block >= 0);
      const unsigned zeroed = __ballot_sync(Ragged::kWarp, source.block == Source::kNowhere);
      const auto aside = m.load_aside(source);
      if (found != 0) {
        // Threads without a unit read one of an entry that is read anyway: no load hangs on a condition, so all are in flight.
        auto entry = reinterpret_cast<uint64_t>(source.block >= 0 ? m.entry(source) : nullptr);
        const uint64_t some_entry = __shfl_sync(Ragged::kWarp, entry, __ffs(found) - 1);
        if (source.block < 0) entry = some_entry;
        for (uint32_t done = 0; done < total; done += 32 * kDepth) {
          typename Mover::Unit value[kDepth];
          uint32_t row[kDepth], unit[kDepth];
#pragma unroll
          for (int i = 0; i < kDepth; ++i) {
            row[i] = rows.slice.divide(done + 32 * i + lane, unit[i]);
            const uint64_t from = __shfl_sync(Ragged::kWarp, entry, row[i]);  // past the task's rows: any lane's
            value[i] = m.load(reinterpret_cast<const char*>(from), unit[i]);
          }
#pragma unroll
          for (int i = 0; i < kDepth; ++i) {
            if (row[i] < count && (found >> row[i] & 1) != 0) m.store(m.row(first_row + row[i]), unit[i], value[i]);
          }
        }
      }
      for (uint32_t i = lane; zeroed != 0 && i < total; i += 32) {
        uint32_t unit;
        const uint32_t row = rows.slice.divide(i, unit);
        if ((zeroed >> row & 1) != 0) m.store(m.row(first_row + row), unit, typename Mover::Unit{});
      }
      if (source.block != Source::kNotOwned) m.store_aside(first_row + lane, source, aside);
    } else {
      uint32_t row = task, slice = 0, units = rows.slice.divisor;
      int64_t first_unit = 0;
      if (rows.slices.divisor > 1) {
        row = rows.slices.divide(task, slice);
        first_unit = static_cast<int64_t>(slice) * units;
        if (rows.units - first_unit < units) units = static_cast<uint32_t>(rows.units - first_unit);
      }
      const Source source = rows.ragged.find_one(window, static_cast<int32_t>(row), lane, slice == 0);
      if (source.block == Source::kNotOwned) continue;
      const auto aside = m.load_aside(source);
      const char* from = source.block >= 0 ? m.entry(source) + first_unit * Mover::kIn : nullptr;
      char* to = m.row(row) + first_unit * Mover::kOut;
      for (uint32_t done = lane; done < units; done += 32 * kDepth) {
        typename Mover::Unit value[kDepth];
        if (from != nullptr) {
#pragma unroll
          for (int i = 0; i < kDepth; ++i) value[i] = m.load(from, min(done + 32 * i, units - 1));
        } else {
#pragma unroll
          for (int i = 0; i < kDepth; ++i) value[i] = {};
        }
#pragma unroll
        for (int i = 0; i < kDepth; ++i) {
          if (done + 32 * i < units) m.store(to, done + 32 * i, value[i]);
        }
      }
      if (lane == 0 && slice == 0) m.store_aside(row, source, aside);
    }
  }
}

// ---- Launch

inline uint32_t checked_count(const char* what, int64_t count) {
  constexpr int64_t kLimit = (int64_t{1} << 31) - 1;
  if (count > kLimit) {
    fail(VKV_ERROR_NOT_SUPPORTED, "%lld %s: this version gathers at most %lld", static_cast<long long>(count), what,
         static_cast<long long>(kLimit));
  }
  return static_cast<uint32_t>(count);
}

// Deals out `count` rows of `units` units: to every SM first, then more rows for each search, so that a second round of CTAs
// comes only where warps have as many rows as they may.
inline Rows deal_rows(const CudaContext& ctx, const Ragged& ragged, int64_t count, int64_t units) {
  constexpr int64_t kLongestSlice = 1024, kTaskUnits = 512, kWarpsPerSm = 32, kBoundsPerChecker = 8 * kGatherThreads;
  const int64_t slices = ceil_div(units, kLongestSlice), slice = ceil_div(units, slices);
  const int64_t per_task = std::clamp<int64_t>(ceil_div(count * slices, ctx.num_sms * kWarpsPerSm), 1,
                                               std::clamp<int64_t>(kTaskUnits / slice, 1, 32));
  Rows rows;
  rows.checkers = static_cast<uint32_t>(ceil_div(ragged.num_bounds, kBoundsPerChecker));
  rows.ragged = ragged;
  rows.count = checked_count("rows", count);
  rows.per_task = static_cast<uint32_t>(per_task);
  rows.tasks = checked_count("slices of rows", ceil_div(count, per_task) * slices);
  rows.slices = FastDiv(static_cast<uint32_t>(slices));
  rows.slice = FastDiv(static_cast<uint32_t>(slice));
  rows.units = units;
  return rows;
}

template <class Mover>
void launch_gather(const CudaContext& ctx, const Mover& mover, vkv_stream stream) {
  const auto kernel = mover.rows.per_task > 1 ? gather_kernel<Mover, true> : gather_kernel<Mover, false>;
  const int64_t workers = ceil_div(mover.rows.tasks, kGatherThreads / 32);
  launch(ctx, kernel, mover.rows.checkers + workers, kGatherThreads, 0, stream, mover);
}

// The sequences of a problem. `num_bounds`: its batch, or one more.
template <class Problem>
Ragged make_ragged(const CudaContext& ctx, int32_t op, const Problem& q, const Tensor& dst, const Tensor& bounds,
                   int64_t num_bounds, const Tensor& seq_starts) {
  Ragged ragged;
  ragged.bounds = bounds.as<const int32_t>();
  ragged.bounds_stride = bounds.stride[0];
  ragged.seq_starts = seq_starts.as<const int32_t>();
  ragged.seq_starts_stride = seq_starts.stride[0];
  ragged.batch = checked_count("sequences", q.batch);
  ragged.num_bounds = checked_count("sequences", num_bounds);
  ragged.buffer_rows = dst.shape[0];
  ragged.table = {q.block_table.template as<const int32_t>(),
                  q.block_table.stride[0],
                  checked_count("table columns", q.table_columns),
                  q.block_size > 0 ? static_cast<uint32_t>(std::min<int64_t>(q.num_blocks, int64_t{1} << 31)) : 0,
                  FastDiv(checked_count("tokens a block", q.block_size)),
                  q.num_blocks,
                  op,
                  ctx.report};
  return ragged;
}

}  // namespace vkv::cuda
