// The benchmark's results as a table on the terminal and as JSON.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "tools/bench.hpp"

namespace bench {

namespace {

std::string with_unit(double value, const char* const* units, double step) {
  while (value >= 999.5 && units[1] != nullptr) {
    value /= step;
    ++units;
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.*f %s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, *units);
  return text;
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f %%", share * 100);
  return text;
}

}  // namespace

std::string bytes_text(double bytes) {
  static const char* const units[] = {"B", "kB", "MB", "GB", "TB", nullptr};
  return with_unit(bytes, units, 1000);
}

std::string seconds_text(double seconds) {
  static const char* const units[] = {"ns", "us", "ms", "s", nullptr};
  return with_unit(seconds * 1e9, units, 1000);
}

std::string device_text(const vkv_context_info& info) {
  if (info.backend != VKV_BACKEND_CPU) return info.name;
  return std::string(info.name) + ", " + std::to_string(info.num_threads) +
         (info.num_threads == 1 ? " thread" : " threads");
}

void print_header(const Result& result) {
  std::printf("%s\n%s\n%s\n", vkv_build_info(), device_text(result.info).c_str(), result.method.c_str());
}

void print_row(const Result& result, const Row& row) {
  const bool first = result.rows.size() == 1 || result.rows[result.rows.size() - 2].what->chart != row.what->chart;
  if (first) {
    std::printf("\n%-52s %9s %9s %9s %8s %7s %9s\n", row.what->chart.c_str(), "time", "bytes", "GB/s", "of limit",
                "spread", "host");
  }
  std::printf("  %-50s ", (row.what->series + "  " + row.what->size).c_str());
  if (!row.wrong.empty())
    std::printf("WRONG: %s\n", row.wrong.c_str());
  else if (!row.skipped.empty())
    std::printf("skipped: %s\n", row.skipped.c_str());
  else {
    std::printf("%9s %9s %9.2f %8s %7s %9s\n", seconds_text(row.timing.median).c_str(),
                bytes_text(static_cast<double>(row.what->read + row.what->written)).c_str(), row.gb_per_second(),
                percent(result.share(row)).c_str(), percent(row.spread()).c_str(),
                row.timing.host < 0 ? "" : seconds_text(row.timing.host).c_str());
  }
  std::fflush(stdout);
}

void print_limits(const Result& result) {
  std::printf("\nlimits: read %.1f GB/s, copy %.1f GB/s (read + written)\n", result.limits.read_rate() * 1e-9,
              result.limits.copy * 1e-9);
  // On an undisturbed machine the median of a piece is within a few percent of the best.
  constexpr double kQuiet = 0.85;
  if (result.limits.quiet > kQuiet) return;
  std::printf(
      "The machine was not quiet: half of the reads had less than %s of the best rate. Times suffer from that.\n",
      percent(result.limits.quiet).c_str());
}

std::string to_json(const Result& result) {
  using Json = nlohmann::ordered_json;
  Json limits = {
      {"read", Json::array()}, {"copy_bytes_per_second", result.limits.copy}, {"quiet", result.limits.quiet}};
  for (const Limits::Point& point : result.limits.read)
    limits["read"].push_back({{"bytes", point.bytes}, {"seconds", point.seconds}});
  Json rows = Json::array();
  for (const Row& row : result.rows) {
    const Case& c = *row.what;
    Json out = {{"op", c.op},
                {"chart", c.chart},
                {"series", c.series},
                {"size", c.size},
                {"bytes_read", c.read},
                {"bytes_written", c.written},
                {"limit", c.limit == Limit::read ? "read" : "copy"}};
    if (!row.wrong.empty()) out["wrong"] = row.wrong;
    if (!row.skipped.empty()) out["skipped"] = row.skipped;
    if (row.timing.samples > 0) {
      out["verified"] = row.verified;
      out["seconds"] = {{"median", row.timing.median}, {"quartile1", row.timing.low}, {"quartile3", row.timing.high}};
      out["samples"] = row.timing.samples;
      out["gb_per_second"] = row.gb_per_second();
      out["share_of_limit"] = result.share(row);
      if (row.timing.host >= 0) out["host_seconds"] = row.timing.host;
    }
    rows.push_back(std::move(out));
  }
  const Json all = {{"build", vkv_build_info()},
                    {"date", result.date},
                    {"backend", result.info.backend == VKV_BACKEND_CPU ? "cpu" : "cuda"},
                    {"device", device_text(result.info)},
                    {"num_threads", result.info.num_threads},
                    {"method", result.method},
                    {"limits", limits},
                    {"rows", rows}};
  return all.dump(2) + "\n";
}

}  // namespace bench
