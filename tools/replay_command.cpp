// vkv replay: its options, its progress line, its table.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <limits>
#include <new>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tools/command.hpp"
#include "tools/replay.hpp"

namespace tools {

namespace {

using Json = nlohmann::ordered_json;

constexpr double kStepSeconds = 0.025;  // of the trace, at speed 1: a decode step of a service of this kind
constexpr double kMostPoolBytes = 1.0 * (1ull << 46);  // far above any machine, far below overflow

struct Option {
  const char *name, *help, *default_value;
};

constexpr Option kOptions[] = {
    {"trace", "CSV of requests: TIMESTAMP,ContextTokens,GeneratedTokens; built-in = an excerpt of 300", "built-in"},
    {"requests", "Take the first so many of the trace; 0 = all", "0"},
    {"speed-up", "A step advances the trace by this many times 25 ms", "1"},
    {"max-batch", "Most sequences in a step", "64"},
    {"layout", "Cache layout: nhd, hnd, or x (vLLM's x-packed)", "nhd"},
    {"cache-dtype", "auto (bf16), bf16, f16, f32, e4m3, e5m2, or nvfp4 (not with x)", "auto"},
    {"heads", "Query heads", "8"},
    {"kv-heads", "KV heads", "2"},
    {"head-size", "Elements of a head", "64"},
    {"block-size", "Tokens of a block", "16"},
    {"blocks", "Blocks in the cache", "2048"},
    {"host-blocks", "Blocks in the host pool; -1 = as many as in the cache", "-1"},
    {"verify", "Share of rows and finished sequences to check, 0 to 1; above 0 also all that was swapped", "0.02"},
    {"seed", "Seed of keys, values and queries", "1"},
};

void add_options(cxxopts::Options& options) {
  add_device_options(options);
  for (const Option& o : kOptions) {
    options.add_options()(o.name, o.help, cxxopts::value<std::string>()->default_value(o.default_value));
  }
  options.add_options()("json", "Print the result as JSON");
}

ReplayOptions read_options(const cxxopts::ParseResult& given) {
  ReplayOptions options;
  options.layout =
      choice_option<Layout>(given, "layout", {{"nhd", Layout::nhd}, {"hnd", Layout::hnd}, {"x", Layout::x}});
  options.cache_dtype = choice_option<vkv_dtype>(given, "cache-dtype",
                                                 {{"auto", VKV_DTYPE_BF16},
                                                  {"bf16", VKV_DTYPE_BF16},
                                                  {"f16", VKV_DTYPE_F16},
                                                  {"f32", VKV_DTYPE_F32},
                                                  {"e4m3", VKV_DTYPE_FP8_E4M3},
                                                  {"e5m2", VKV_DTYPE_FP8_E5M2},
                                                  {"nvfp4", VKV_DTYPE_NVFP4}});
  if (options.cache_dtype == VKV_DTYPE_NVFP4 && options.layout == Layout::x) {
    throw Refusal("--cache-dtype nvfp4 needs --layout nhd or hnd");
  }
  options.heads = integer_option(given, "heads", 1, 1024);
  options.kv_heads = integer_option(given, "kv-heads", 1, 1024);
  options.head_size = integer_option(given, "head-size", 1, 1024);
  if (options.heads % options.kv_heads != 0) {
    throw Refusal("--heads is " + std::to_string(options.heads) + ", expected a multiple of --kv-heads, which is " +
                  std::to_string(options.kv_heads));
  }
  SchedulerLimits& limits = options.limits;
  limits.block_size = integer_option(given, "block-size", 1, 1 << 16);
  limits.device_blocks = integer_option(given, "blocks", 1, std::numeric_limits<int32_t>::max());
  limits.host_blocks = integer_option(given, "host-blocks", -1, std::numeric_limits<int32_t>::max());
  if (limits.host_blocks < 0) limits.host_blocks = limits.device_blocks;
  limits.max_batch = integer_option(given, "max-batch", 1, 1 << 16);
  const auto speed = number_option(given, "speed-up");
  if (!(speed > 0 && speed <= 1e9)) {
    throw Refusal("--speed-up is " + std::to_string(speed) + ", expected a number above 0");
  }
  limits.seconds_per_step = kStepSeconds * speed;
  options.verify = number_option(given, "verify");
  if (!(options.verify >= 0 && options.verify <= 1)) {
    throw Refusal("--verify is " + std::to_string(options.verify) + ", expected 0 to 1");
  }
  options.seed = static_cast<uint64_t>(integer_option(given, "seed", 0, std::numeric_limits<int64_t>::max()));
  const CacheLayout layout{options.layout, options.cache_dtype, limits.block_size, options.kv_heads, options.head_size};
  if (static_cast<double>(layout.block_bytes()) * static_cast<double>(limits.device_blocks + limits.host_blocks) >
      kMostPoolBytes) {
    throw Refusal("blocks of " + std::to_string(layout.block_bytes()) + " bytes, " +
                  std::to_string(limits.device_blocks) + " in the cache and " + std::to_string(limits.host_blocks) +
                  " in the host pool, are more than any memory");
  }
  return options;
}

std::vector<Request> read_requests(const cxxopts::ParseResult& given) {
  const int64_t asked = integer_option(given, "requests", 0, std::numeric_limits<int64_t>::max());
  const int64_t most = asked > 0 ? asked : std::numeric_limits<int64_t>::max();
  const auto path = given["trace"].as<std::string>();
  if (path != "built-in") return read_trace(path, most);
  std::istringstream excerpt(kDefaultTrace);
  return read_trace(excerpt, "the built-in trace", most);
}

// One line on a terminal, rewritten a few times a second and wiped at the end; nothing elsewhere.
class ProgressLine {
 public:
  explicit ProgressLine(std::size_t requests) : requests_(requests), shown_(isatty(STDERR_FILENO) != 0) {}
  ~ProgressLine() {
    if (shown_) std::fprintf(stderr, "\r\033[K");
  }
  void show(const Scheduler& scheduler) {
    const auto now = std::chrono::steady_clock::now();
    if (!shown_ || now - last_ < std::chrono::milliseconds(200)) return;
    last_ = now;
    std::fprintf(stderr, "\rstep %lld: %lld of %zu requests done, %lld running, %lld swapped out, %lld waiting\033[K",
                 static_cast<long long>(scheduler.counts().steps), static_cast<long long>(scheduler.counts().finished),
                 requests_, static_cast<long long>(scheduler.running()), static_cast<long long>(scheduler.swapped()),
                 static_cast<long long>(scheduler.waiting()));
  }

 private:
  std::size_t requests_;
  bool shown_;
  std::chrono::steady_clock::time_point last_ = {};
};

double mean_batch(const SchedulerCounts& c) { return static_cast<double>(c.rows) / static_cast<double>(c.steps); }

Json to_json(const OpTime& t) {
  return {{"op", t.op},
          {"calls", t.calls},
          {"seconds", t.seconds},
          {"bytes", t.bytes},
          {"gigabytes_per_second", t.seconds > 0 ? t.bytes / t.seconds * 1e-9 : 0}};
}

Json to_json(const ReplayReport& r, const vkv_context_info& device) {
  const SchedulerCounts& c = r.counts;
  return {{"right", r.right()},
          {"backend", device.backend == VKV_BACKEND_CPU ? "cpu" : "cuda"},
          {"device", device.name},
          {"threads", device.num_threads},
          {"seconds", r.seconds},
          {"steps", c.steps},
          {"requests", c.finished},
          {"prompt_tokens", r.prompt_tokens},
          {"generated_tokens", r.generated_tokens},
          {"batch", {{"min", c.smallest_batch}, {"mean", mean_batch(c)}, {"max", c.largest_batch}}},
          {"longest_queue", c.longest_queue},
          {"written_tokens", c.written_tokens},
          {"attention_rows", c.rows},
          {"swapped_out", {{"sequences", c.sequences_out}, {"blocks", c.blocks_out}, {"bytes", r.swap_out.bytes}}},
          {"swapped_in", {{"sequences", c.sequences_in}, {"blocks", c.blocks_in}, {"bytes", r.swap_in.bytes}}},
          {"rewritten_sequences", c.rewritten_sequences},
          {"ops", {to_json(r.write), to_json(r.attention), to_json(r.swap_out), to_json(r.swap_in)}},
          {"checked",
           {{"rows", r.rows_checked},
            {"wrong_rows", r.wrong_rows},
            {"worst_relative_l2", r.worst_error},
            {"tolerance", r.tolerance},
            {"sequences", r.sequences_checked},
            {"cache_bytes", r.bytes_checked},
            {"wrong_cache_bytes", r.wrong_bytes},
            {"first_wrong", r.first_wrong}}},
          {"leaked_blocks", {{"cache", r.leaked_device_blocks}, {"host", r.leaked_host_blocks}}},
          {"device_report", {{"count", r.device_report.count}, {"message", r.device_report.message}}}};
}

void print(const OpTime& t) {
  std::printf("  %-24s %8lld calls  %9.3f s  %9.3f GB", t.op, static_cast<long long>(t.calls), t.seconds,
              t.bytes * 1e-9);
  if (t.seconds > 0) std::printf("  %8.2f GB/s", t.bytes / t.seconds * 1e-9);
  std::printf("\n");
}

void print(const ReplayReport& r, const vkv_context_info& device) {
  const auto n = [](int64_t value) { return static_cast<long long>(value); };
  const SchedulerCounts& c = r.counts;
  std::printf("%s, %.1f s\n", device.name, r.seconds);
  std::printf("  %-24s %lld in %lld steps, batch %lld to %lld, mean %.1f, longest queue %lld\n", "requests",
              n(c.finished), n(c.steps), n(c.smallest_batch), n(c.largest_batch), mean_batch(c), n(c.longest_queue));
  std::printf("  %-24s %lld of prompts, %lld generated; %lld written to the cache\n", "tokens", n(r.prompt_tokens),
              n(r.generated_tokens), n(c.written_tokens));
  for (const OpTime* t : {&r.write, &r.attention, &r.swap_out, &r.swap_in}) print(*t);
  std::printf("  %-24s %lld sequences (%lld blocks) out, %lld (%lld) in; %lld dropped and written again\n", "swapped",
              n(c.sequences_out), n(c.blocks_out), n(c.sequences_in), n(c.blocks_in), n(c.rewritten_sequences));
  std::printf("  %-24s %lld of %lld, %lld wrong; worst relative L2 %.2e, allowed %.0e\n", "rows checked",
              n(r.rows_checked), n(c.rows), n(r.wrong_rows), r.worst_error, r.tolerance);
  std::printf("  %-24s %lld of %lld sequences, %lld bytes, %lld wrong\n", "cache checked", n(r.sequences_checked),
              n(c.finished), n(r.bytes_checked), n(r.wrong_bytes));
  std::printf("  %-24s %lld in the cache, %lld in the host pool\n", "blocks leaked", n(r.leaked_device_blocks),
              n(r.leaked_host_blocks));
  std::printf("  %-24s %s\n", "device report", r.device_report.count == 0 ? "empty" : r.device_report.message);
  if (!r.first_wrong.empty()) std::printf("  first wrong: %s\n", r.first_wrong.c_str());
  std::printf("%s\n", r.right() ? "all right" : "WRONG");
}

}  // namespace

int replay(int argc, char** argv) {
  cxxopts::Options options("vkv replay", "An engine's calls on a trace of real requests, checked against float64");
  add_options(options);
  const auto parsed = parse(options, argc, argv);
  if (!parsed) return kDone;
  const cxxopts::ParseResult& given = *parsed;
  const ReplayOptions replay_options = read_options(given);
  const std::vector<Request> requests = read_requests(given);
  OpenDevice device = open_device(given);
  const auto run = [&] {
    ProgressLine line(requests.size());
    return run_replay(device.device, replay_options, requests, [&](const Scheduler& s) { line.show(s); });
  };
  try {
    ReplayReport report;
    try {
      report = run();
    } catch (const Refusal&) {
      // Where the choice is the tool's, it is the backend that has every operation of this replay.
      if (given["backend"].as<std::string>() != "auto" || device.device.memory->is_host()) throw;
      device = open_device("cpu", static_cast<int>(integer_option(given, "threads", 0, 1024)));
      report = run();
    }
    if (given.count("json") != 0) std::cout << to_json(report, device.info).dump(2) << '\n';
    else print(report, device.info);
    return report.right() ? kDone : kWrong;
  } catch (const std::bad_alloc&) {
    throw Refusal("there is not enough memory for these pools (--blocks, --host-blocks, --max-batch)");
  }
}

}  // namespace tools
