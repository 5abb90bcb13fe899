#include "tools/replay.hpp"

#include <algorithm>
#include <chrono>

#include "tools/engine.hpp"
#include "tools/hash.hpp"
#include "tools/verify.hpp"

namespace tools {

namespace {

// The same share of all (request, length) in every run.
class Sample {
 public:
  Sample(double share, uint64_t seed) : share_(share), seed_(mix(~seed)) {}
  bool takes(int64_t request, int64_t length) const {
    const uint64_t hash = mix(mix(seed_ ^ static_cast<uint64_t>(request)) ^ static_cast<uint64_t>(length));
    return static_cast<double>(hash >> 11) * 0x1.0p-53 < share_;
  }

 private:
  double share_;
  uint64_t seed_;
};

void note(ReplayReport& report, const Sequence& sequence, const std::string& what) {
  if (!report.first_wrong.empty()) return;
  report.first_wrong =
      "request " + std::to_string(sequence.request.id) + " at " + std::to_string(sequence.length) + " tokens: " + what;
}

void check_row(const Engine& engine, const Content& content, const Sequence& sequence, int64_t row,
               ReplayReport& report) {
  std::vector<uint8_t> output(engine.output_row_bytes());
  engine.read_output_row(row, output.data());
  const double error = row_error(content, sequence.request.id, sequence.length, output.data());
  ++report.rows_checked;
  report.worst_error = std::max(report.worst_error, error);
  if (error <= report.tolerance) return;
  ++report.wrong_rows;
  note(report, sequence,
       "the row is off by " + std::to_string(error) + ", more than " + std::to_string(report.tolerance));
}

// All bytes that a sequence left in the cache.
void check_cache(const Engine& engine, const Content& content, const CacheLayout& layout, const Sequence& sequence,
                 ReplayReport& report) {
  std::vector<uint8_t> block(static_cast<std::size_t>(layout.block_bytes()));
  for (int64_t first = 0; first < sequence.cached; first += layout.block_size) {
    const int64_t last = std::min(first + layout.block_size, sequence.cached);
    engine.read_block(sequence.blocks[static_cast<std::size_t>(first / layout.block_size)], block.data());
    const int64_t wrong = wrong_bytes(content, layout, sequence.request.id, first, last, block.data());
    report.wrong_bytes += wrong;
    report.bytes_checked += (last - first) * layout.block_bytes() / layout.block_size;
    if (wrong > 0) {
      note(report, sequence,
           std::to_string(wrong) + " bytes of the block from token " + std::to_string(first) + " differ");
    }
  }
  ++report.sequences_checked;
}

}  // namespace

vkv_dtype ReplayOptions::input_dtype() const {
  const bool number = cache_dtype == VKV_DTYPE_F16 || cache_dtype == VKV_DTYPE_F32;
  return number ? cache_dtype : VKV_DTYPE_BF16;
}

bool ReplayReport::right() const {
  return wrong_rows == 0 && wrong_bytes == 0 && leaked_device_blocks == 0 && leaked_host_blocks == 0 &&
         device_report.count == 0;
}

ReplayReport run_replay(const support::Device& device, const ReplayOptions& options,
                        const std::vector<Request>& requests, const std::function<void(const Scheduler&)>& progress) {
  const auto start = std::chrono::steady_clock::now();
  ReplayReport report;
  int64_t longest = 0;
  for (const Request& request : requests) {
    longest = std::max(longest, request.final_length());
    report.prompt_tokens += request.prompt;
    report.generated_tokens += request.generated;
  }
  report.tolerance = tolerance(options.input_dtype());
  Scheduler scheduler(options.limits, requests);
  const Content content(
      {options.input_dtype(), options.cache_dtype, options.heads, options.kv_heads, options.head_size}, options.seed);
  const CacheLayout layout{options.layout, options.cache_dtype, options.limits.block_size, options.kv_heads,
                           options.head_size};
  Engine engine(device, options, content, longest);
  const Sample sample(options.verify, options.seed);

  Step step;
  while (scheduler.next(step)) {
    engine.swap_out(step.swap_out);
    engine.swap_in(step.swap_in);
    engine.write(step.writes);
    engine.attend(step.rows);
    for (std::size_t row = 0; row < step.rows.size(); ++row) {
      const Sequence& sequence = *step.rows[row];
      if (sample.takes(sequence.request.id, sequence.length)) {
        check_row(engine, content, sequence, static_cast<int64_t>(row), report);
      }
      // What was swapped is always looked at, unless nothing is.
      const bool looked_at = sample.takes(sequence.request.id, 0) || (sequence.swapped && options.verify > 0);
      if (sequence.done() && looked_at) check_cache(engine, content, layout, sequence, report);
    }
    if (progress) progress(scheduler);
  }

  report.counts = scheduler.counts();
  report.write = engine.times().write;
  report.attention = engine.times().attention;
  report.swap_out = engine.times().swap_out;
  report.swap_in = engine.times().swap_in;
  report.leaked_device_blocks = scheduler.device_pool().size() - scheduler.device_pool().available();
  report.leaked_host_blocks = scheduler.host_pool().size() - scheduler.host_pool().available();
  report.device_report = support::take_report(device);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace tools
