// The device error report: a few words of pinned host memory that kernels write when they meet a number out of range.
//
// The GPU counts in its own memory, publishes the count here and fills ring entries; the host only ever writes
// `acknowledged`. No word is written by both, so nothing depends on atomics across the bus.
#pragma once

#include <cstdint>

namespace vkv::cuda {

constexpr unsigned kReportRing = 32;

struct ReportEvent {
  int64_t index, value, limit;
  int32_t op, what;
  uint32_t tag;  // number of the event, from 1; written last
  uint32_t reserved;
};

struct ReportWords {
  uint32_t* counter;      // events ever, in device memory
  uint32_t count;         // the same, as published
  uint32_t acknowledged;  // events that the host has taken
  ReportEvent ring[kReportRing];
};

#ifdef __CUDACC__

// Cold by design: kept out of line so that the check before it is all that a kernel pays.
static __device__ __noinline__ void note(ReportWords* report, int32_t op, int32_t what, int64_t index, int64_t value,
                                         int64_t limit) {
  const uint32_t n = atomicAdd(report->counter, 1u);
  if (n - *static_cast<volatile uint32_t*>(&report->acknowledged) < kReportRing) {
    volatile ReportEvent& event = report->ring[n % kReportRing];
    event.tag = 0;
    __threadfence_system();
    event.index = index;
    event.value = value;
    event.limit = limit;
    event.op = op;
    event.what = what;
    __threadfence_system();
    event.tag = n + 1;
  }
  // A late store of a smaller count is followed by another look at the counter, so the last store is the largest.
  uint32_t published = n + 1;
  for (;;) {
    *static_cast<volatile uint32_t*>(&report->count) = published;
    __threadfence_system();
    const uint32_t now = atomicAdd(report->counter, 0u);
    if (now == published) break;
    published = now;
  }
}

#endif

}  // namespace vkv::cuda
