// Benchmark cases from a trace of requests: the ragged batches that vkv replay forms of it with its default limits.
#include "tools/bench_attention.hpp"
#include "tools/replay.hpp"

namespace bench {

namespace {

// Calls f(step number, sequences) for each step of the replay's schedule.
template <class F>
void each_step(const std::vector<tools::Request>& trace, F&& f) {
  tools::Scheduler scheduler(tools::ReplayOptions{}.limits, trace);
  tools::Step step;
  for (int64_t number = 0; scheduler.next(step); ++number) f(number, step.rows);
}

struct Batch {
  int64_t step;
  std::vector<int64_t> lengths;
};

// `count` steps, or all if there are fewer, evenly spread over the schedule.
std::vector<Batch> spread_batches(const std::vector<tools::Request>& trace, int64_t count) {
  int64_t steps = 0;
  each_step(trace, [&](int64_t, const auto&) { ++steps; });
  count = std::min(count, steps);
  std::vector<Batch> batches;
  each_step(trace, [&](int64_t number, const std::vector<const tools::Sequence*>& rows) {
    const auto taken = static_cast<int64_t>(batches.size());
    if (rows.empty() || taken == count || number < (2 * taken + 1) * steps / (2 * count)) return;
    batches.push_back({number, {}});
    for (const tools::Sequence* sequence : rows) batches.back().lengths.push_back(sequence->length);
  });
  return batches;
}

}  // namespace

void add_trace_cases(Cases& cases, const std::vector<tools::Request>& trace, int64_t batches) {
  const std::vector<Batch> spread = spread_batches(trace, batches);
  for (const vkv_dtype cache : {VKV_DTYPE_BF16, VKV_DTYPE_FP8_E4M3}) {
    for (const Batch& batch : spread) {
      int64_t tokens = 0;
      for (const int64_t length : batch.lengths) tokens += length;
      const std::string size = "step " + std::to_string(batch.step) + ", b" + std::to_string(batch.lengths.size()) + ", " +
                               std::to_string(tokens) + " tokens";
      cases.push_back(attention_case(EntryPoint::paged_attention, "trace", std::string("trace 32x8 ") + vkv_dtype_string(cache),
                                     size, {32, 8, batch.lengths, VKV_DTYPE_BF16, cache}));
      cases.back().of_trace = true;
    }
  }
}

}  // namespace bench
