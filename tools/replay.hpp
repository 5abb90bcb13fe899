// The replay of a request trace: an engine's sequence of calls, with real lengths and arrivals, checked as it goes.
#pragma once

#include <functional>
#include <string>

#include "support/device.hpp"
#include "tools/cache_layout.hpp"
#include "tools/scheduler.hpp"

namespace tools {

struct ReplayOptions {
  Layout layout = Layout::nhd;
  vkv_dtype cache_dtype = VKV_DTYPE_BF16;
  int64_t heads = 8, kv_heads = 2, head_size = 64;
  SchedulerLimits limits = {16, 2048, 2048, 64, 0.025};
  double verify = 0.02;  // share of rows and finished sequences to check; above 0 also those that were swapped
  uint64_t seed = 1;

  // Queries, new keys and values, and outputs: the cache's dtype if that is f16, bf16 or f32, else bf16.
  vkv_dtype input_dtype() const;
};

struct OpTime {
  const char* op;
  int64_t calls = 0;
  double seconds = 0;
  double bytes = 0;  // that the op must read and write at least; for a swap, the bytes of the blocks moved
};

struct ReplayReport {
  SchedulerCounts counts;
  int64_t prompt_tokens = 0, generated_tokens = 0;
  OpTime write, attention, swap_out, swap_in;
  int64_t rows_checked = 0, wrong_rows = 0;
  double worst_error = 0, tolerance = 0;
  std::string first_wrong;  // what was wrong first, with place
  int64_t sequences_checked = 0, bytes_checked = 0, wrong_bytes = 0;
  int64_t leaked_device_blocks = 0, leaked_host_blocks = 0;
  vkv_device_report device_report = {};
  double seconds = 0;

  bool right() const;
};

// Runs the trace to its end; `progress` is called after each step. Options that the library or the pool cannot serve
// are a Refusal.
ReplayReport run_replay(const support::Device& device, const ReplayOptions& options,
                        const std::vector<Request>& requests,
                        const std::function<void(const Scheduler&)>& progress = {});

}  // namespace tools
