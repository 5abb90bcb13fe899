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

// Its time on its own device; elsewhere in multiples of its limit there.
std::string peer_text(const Result& result, const Row& row) {
  const Peer& peer = *peer_of(*row.what);
  if (is_peers_device(result.info)) return seconds_text(peer.us * 1e-6);
  char text[32];
  std::snprintf(text, sizeof text, "%.2f x", peer.us / peer.limit_us);
  return text;
}

std::string met_text(const Result& result, const Row& row) {
  const double goal = result.goal(row);
  if (goal == 0) return "";
  return row.timing.median <= goal ? "yes" : "no, +" + percent(row.timing.median / goal - 1);
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
    std::printf("\n%-44s %9s %9s %9s %9s %8s %8s %8s %7s %9s  %s\n", row.what->chart.c_str(), "time", "limit", "GB/s", "goal",
                "of limit", "peer", "/ peer", "spread", "host", "met");
  }
  std::printf("  %-42s ", (row.what->series + "  " + row.what->size).c_str());
  if (!row.wrong.empty()) {
    std::printf("WRONG: %s\n", row.wrong.c_str());
  } else if (!row.skipped.empty()) {
    std::printf("skipped: %s\n", row.skipped.c_str());
  } else {
    const double limit = result.limit(row), goal = result.goal(row), over = over_peer(result, row);
    std::printf("%9s %9s %9.2f %9s %8s %8s %8s %7s %9s  %s\n", seconds_text(row.timing.median).c_str(),
                limit > 0 ? seconds_text(limit).c_str() : "", row.gb_per_second(), goal > 0 ? seconds_text(goal).c_str() : "",
                limit > 0 ? percent(result.share(row)).c_str() : "", over > 0 ? peer_text(result, row).c_str() : "",
                over > 0 ? percent(over).c_str() : "", percent(row.spread()).c_str(),
                row.timing.host < 0 ? "" : seconds_text(row.timing.host).c_str(), met_text(result, row).c_str());
  }
  std::fflush(stdout);
}

void print_overheads(const Result& result) {
  for (const Overhead& all : trace_overheads(result)) {
    std::printf("\n%s: time over the limit of the same cache bytes, %d batches: geometric mean %.3f, worst %.3f (%s)\n",
                all.series.c_str(), all.rows, all.mean, all.worst, all.worst_size.c_str());
  }
}

void print_limits(const Result& result) {
  std::printf("\nlimits: read %.1f GB/s, copy %.1f GB/s (read + written)\n", result.limits.read_rate() * 1e-9,
              result.limits.copy * 1e-9);
  int goals = 0, met = 0;
  for (const Row& row : result.rows) {
    if (row.timing.samples == 0 || result.goal(row) == 0) continue;
    ++goals;
    met += row.timing.median <= result.goal(row);
  }
  if (goals > 0) std::printf("%d of %d goals met\n", met, goals);
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
                {"limit", limit_name(c.limit)}};
    if (!row.wrong.empty()) out["wrong"] = row.wrong;
    if (!row.skipped.empty()) out["skipped"] = row.skipped;
    if (row.timing.samples > 0) {
      out["verified"] = row.verified;
      out["seconds"] = {{"median", row.timing.median}, {"quartile1", row.timing.low}, {"quartile3", row.timing.high}};
      out["samples"] = row.timing.samples;
      out["gb_per_second"] = row.gb_per_second();
      if (result.limit(row) > 0) {
        out["limit_seconds"] = result.limit(row);
        out["share_of_limit"] = result.share(row);
      }
      if (result.goal(row) > 0) {
        out["goal_seconds"] = result.goal(row);
        out["met"] = row.timing.median <= result.goal(row);
      }
      if (c.operations > 0) out["operations_per_second"] = c.operations / row.timing.median;
      if (const double over = over_peer(result, row); over > 0) {
        const Peer& peer = *peer_of(c);
        out["peer"] = {{"name", peer.name}, {"seconds", peer.us * 1e-6}, {"limit_seconds", peer.limit_us * 1e-6}, {"over", over}};
      }
      if (row.timing.host >= 0) out["host_seconds"] = row.timing.host;
    }
    rows.push_back(std::move(out));
  }
  Json trace = Json::array();
  for (const Overhead& o : trace_overheads(result)) {
    trace.push_back({{"series", o.series},
                     {"batches", o.rows},
                     {"over_limit", {{"geometric_mean", o.mean}, {"worst", o.worst}, {"worst_at", o.worst_size}}}});
  }
  const Json all = {{"build", vkv_build_info()},
                    {"date", result.date},
                    {"backend", result.info.backend == VKV_BACKEND_CPU ? "cpu" : "cuda"},
                    {"device", device_text(result.info)},
                    {"num_threads", result.info.num_threads},
                    {"method", result.method},
                    {"limits", limits},
                    {"trace", trace},
                    {"rows", rows}};
  return all.dump(2) + "\n";
}

}  // namespace bench
