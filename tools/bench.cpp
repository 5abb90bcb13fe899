// vkv bench: verifies each case against the reference, then times it beside what this machine can read and copy.
#include "tools/bench.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>

namespace bench {

Cases all_cases() {
  Cases cases;
  add_attention_cases(cases);
  add_writer_cases(cases);
  add_mla_cases(cases);
  add_gather_cases(cases);
  add_convert_cases(cases);
  add_move_cases(cases);
  for (Case& c : cases) {
    if (c.limit == Limit::copy) c.goal = {1.10, 2e-6, 0, c.size == "T=1" ? 1.6e-6 : 0};
  }
  return cases;
}

const char* limit_name(Limit limit) {
  switch (limit) {
    case Limit::read: return "read";
    case Limit::copy: return "copy";
    case Limit::one_copy: return "one copy";
    case Limit::arithmetic: return "arithmetic";
  }
  return "";
}

Timing summarise(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  const auto quantile = [&](double q) {
    const double at = q * static_cast<double>(seconds.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, seconds.size() - 1);
    return seconds[below] + (at - static_cast<double>(below)) * (seconds[above] - seconds[below]);
  };
  return {quantile(0.5), quantile(0.25), quantile(0.75), static_cast<int>(seconds.size())};
}

double Limits::seconds(Limit limit, double bytes) const {
  if (limit == Limit::copy) return bytes / copy;
  std::size_t i = 0;
  while (i < read.size() && read[i].bytes < bytes) ++i;
  if (i == read.size()) return read.back().seconds * bytes / read.back().bytes;
  if (i == 0) return read.size() == 1 ? read[0].seconds * bytes / read[0].bytes : read[0].seconds;
  const Point &a = read[i - 1], &b = read[i];
  return a.seconds + (b.seconds - a.seconds) * (bytes - a.bytes) / (b.bytes - a.bytes);
}

void Limits::take_better(const Limits& other) {
  for (std::size_t i = 0; i < read.size(); ++i) read[i].seconds = std::min(read[i].seconds, other.read[i].seconds);
  copy = std::max(copy, other.copy);
  quiet = std::min(quiet, other.quiet);
}

double Result::limit(const Row& row) const {
  const Case& c = *row.what;
  if (c.limit == Limit::one_copy) return row.timing.one_copy;
  if (c.limit == Limit::arithmetic) return limits.operations > 0 ? c.operations / limits.operations : 0;
  return limits.seconds(c.limit, static_cast<double>(c.goal.bytes > 0 ? c.goal.bytes : c.read + c.written));
}

double Result::goal(const Row& row) const {
  const Goal& goal = row.what->goal;
  if (info.backend == VKV_BACKEND_CPU || goal.factor == 0) return 0;
  return goal.most > 0 ? goal.most : goal.factor * limit(row) + goal.extra;
}

bool is_peers_device(const vkv_context_info& info) { return std::string(info.name).find("H200") != std::string::npos; }

double over_peer(const Result& result, const Row& row) {
  const Peer* peer = peer_of(*row.what);
  if (peer == nullptr || result.info.backend == VKV_BACKEND_CPU || row.timing.samples == 0) return 0;
  const double times = row.timing.median / (peer->us * 1e-6);
  return is_peers_device(result.info) ? times : times / (result.limit(row) / (peer->limit_us * 1e-6));
}

std::vector<Overhead> trace_overheads(const Result& result) {
  std::vector<Overhead> all;
  for (const Row& row : result.rows) {
    if (!row.what->of_trace || row.timing.samples == 0) continue;
    if (all.empty() || all.back().series != row.what->series) all.push_back({row.what->series});
    Overhead& series = all.back();
    const double ratio = row.timing.median / result.limit(row);
    series.mean += std::log(ratio);
    ++series.rows;
    if (ratio > series.worst) {
      series.worst = ratio;
      series.worst_size = row.what->size;
    }
  }
  for (Overhead& series : all) series.mean = std::exp(series.mean / series.rows);
  return all;
}

namespace {

constexpr int64_t kMostInstances = 64;
constexpr int64_t kQuickFootprint = 64 << 20;

// One line that is overwritten, on a terminal only.
class Progress {
 public:
  explicit Progress(std::size_t total) : total_(total), shown_(isatty(STDERR_FILENO) != 0) {}
  void show(const std::string& what) {
    ++done_;
    if (shown_) std::fprintf(stderr, "\r\033[K[%zu/%zu] %s", done_, total_, what.c_str());
  }
  void clear() const {
    if (shown_) std::fprintf(stderr, "\r\033[K");
  }

 private:
  std::size_t total_, done_ = 0;
  bool shown_;
};

Row run(BenchDevice& on, const Case& c, const Effort& effort) {
  Row row{&c, "", "", {}, false};
  if (c.footprint > on.memory_bytes()) {
    row.skipped = "takes " + bytes_text(static_cast<double>(c.footprint)) + " of memory, this run may use " +
                  bytes_text(static_cast<double>(on.memory_bytes()));
    return row;
  }
  try {
    const int64_t enough = (on.cold_bytes() + c.footprint - 1) / c.footprint;
    const int64_t count = std::max<int64_t>(1, std::min({enough, kMostInstances, on.memory_bytes() / c.footprint}));
    Instances instances;
    support::Random random(1);
    for (int64_t i = 0; i < count; ++i) instances.push_back(c.make(on.device(), random));
    instances.front()->prepare();
    require(instances.front()->call(on.device().stream));
    support::synchronize(on.device());
    row.wrong = instances.front()->verify();
    const vkv_device_report report = support::take_report(on.device());
    if (row.wrong.empty() && report.count != 0) row.wrong = report.message;
    if (!row.wrong.empty()) return row;
    row.verified = true;
    for (const auto& instance : instances) require(instance->call(on.device().stream));
    support::synchronize(on.device());
    row.timing = c.limit == Limit::one_copy ? on.time_beside_copy(instances, c.read, effort)
                                            : on.time(instances, count * c.footprint < on.cold_bytes(), effort);
  } catch (const Refused& e) {
    (e.status / 100 == 2 ? row.skipped : row.wrong) = e.what();
  }
  return row;
}

// A file that is opened before the work and written after it.
class Output {
 public:
  Output(const cxxopts::ParseResult& given, const char* option) {
    if (given.count(option) == 0) return;
    path_ = given[option].as<std::string>();
    file_.open(path_);
    check();
  }
  bool wanted() const { return !path_.empty(); }
  void write(const std::string& text) {
    file_ << text << std::flush;
    check();
  }

 private:
  void check() const {
    if (!file_) throw tools::Refusal("cannot write " + path_);
  }
  std::string path_;
  std::ofstream file_;
};

std::string today() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d", std::gmtime(&now));
  return text;
}

void list(const Cases& cases) {
  for (const Case& c : cases) {
    std::printf("%-70s %10s  %s\n", c.name().c_str(), bytes_text(static_cast<double>(c.read + c.written)).c_str(),
                limit_name(c.limit));
  }
}

Cases chosen(const cxxopts::ParseResult& given) {
  const bool quick = given.count("quick") != 0;
  const auto ops = given["op"].as<std::vector<std::string>>();
  const auto name = given["case"].as<std::string>();
  Cases known, cases;
  if (given.count("trace") == 0) {
    known = all_cases();
  } else {
    const int64_t batches = tools::integer_option(given, "batches", 1, 100000);
    add_trace_cases(known, tools::read_trace(given["trace"].as<std::string>(), INT64_MAX), batches);
  }
  for (Case& c : known) {
    const bool op_matches =
        std::any_of(ops.begin(), ops.end(), [&](const auto& op) { return c.op.find(op) != std::string::npos; });
    if (op_matches && c.name().find(name) != std::string::npos && !(quick && c.footprint > kQuickFootprint)) {
      cases.push_back(std::move(c));
    }
  }
  if (cases.empty()) throw tools::Refusal("no case has these names (vkv bench --list shows all)");
  return cases;
}

}  // namespace

}  // namespace bench

namespace tools {

int bench(int argc, char** argv) {
  using namespace ::bench;
  cxxopts::Options options("vkv bench",
                           "Verifies, then times the operations; bytes per second beside what the machine can do");
  add_device_options(options);
  options.add_options()("op", "Only operations with this in their name; may be repeated",
                        cxxopts::value<std::vector<std::string>>()->default_value(""))(
      "case", "Only cases with this in their name", cxxopts::value<std::string>()->default_value(""))(
      "trace", "Attention over batches that vkv replay forms of this file of requests, in place of the other cases",
      cxxopts::value<std::string>())("batches", "How many batches of the trace, evenly spread over its steps",
                                     cxxopts::value<std::string>()->default_value("32"))(
      "quick", "Small cases and few repeats: a look, not a measurement")("repeats", "Samples of a case, at least",
                                                                         cxxopts::value<int>())(
      "min-time", "Seconds of samples of a case, at least", cxxopts::value<double>())(
      "list", "Print the cases and stop")("json", "Write the results to this file", cxxopts::value<std::string>())(
      "html", "Write a page with plots to this file", cxxopts::value<std::string>());
  const auto parsed = parse(options, argc, argv);
  if (!parsed) return kDone;
  const cxxopts::ParseResult& given = *parsed;

  // The same data each time, so that runs compare; VKV_TEST_SEED still chooses other data.
  setenv("VKV_TEST_SEED", "1", 0);
  const Cases cases = chosen(given);
  if (given.count("list") != 0) {
    list(cases);
    return kDone;
  }
  Effort effort = given.count("quick") != 0 ? Effort{3, 0.02} : Effort{};
  if (given.count("repeats") != 0) effort.repeats = given["repeats"].as<int>();
  if (given.count("min-time") != 0) effort.min_time = given["min-time"].as<double>();
  if (effort.repeats < 1) throw Refusal("--repeats is " + std::to_string(effort.repeats) + ", expected at least 1");
  if (!(effort.min_time >= 0)) throw Refusal("--min-time is not a number of seconds");

  Output json(given, "json"), html(given, "html");
  const OpenDevice open = open_device(given);
#ifdef VKV_TOOLS_CUDA
  const auto on = open.info.backend == VKV_BACKEND_CUDA ? cuda_bench_device(open) : cpu_bench_device(open);
#else
  const auto on = cpu_bench_device(open);
#endif

  Result result;
  result.info = open.info;
  result.method = on->method();
  result.date = today();
  Progress progress(cases.size());
  const auto measure = [&] {
    const Limits now = on->measure_limits(std::max(1, effort.repeats / 3));
    if (result.rows.empty()) result.limits = now;
    result.limits.take_better(now);
  };
  measure();
  print_header(result);
  bool wrong = false;
  for (const Case& c : cases) {
    progress.show(c.name());
    if (!result.rows.empty() && result.rows.back().what->chart != c.chart) measure();
    result.rows.push_back(run(*on, c, effort));
    progress.clear();
    print_row(result, result.rows.back());
    wrong = wrong || !result.rows.back().wrong.empty();
  }
  measure();
  print_overheads(result);
  print_limits(result);
  if (json.wanted()) json.write(to_json(result));
  if (html.wanted()) html.write(to_html(result));
  return wrong ? kWrong : kDone;
}

}  // namespace tools
