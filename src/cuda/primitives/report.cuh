// The device error report: a few words of pinned host memory that kernels write when they meet a number out of range.
//
// The GPU only ever raises `count` and fills ring entries; the host only ever writes `acknowledged`. No word is written by
// both, so nothing depends on atomics across the bus.
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
  uint32_t count;         // events ever
  uint32_t acknowledged;  // events that the host has taken
  ReportEvent ring[kReportRing];
};

#ifdef __CUDACC__

// Cold by design: kept out of line so that the check before it is all that a kernel pays.
static __device__ __noinline__ void note(ReportWords* report, int32_t op, int32_t what, int64_t index, int64_t value,
                                         int64_t limit) {
  const uint32_t n = atomicAdd_system(&report->count, 1u);
  if (n - *static_cast<volatile uint32_t*>(&report->acknowledged) >= kReportRing) return;
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

#endif

}  // namespace vkv::cuda
