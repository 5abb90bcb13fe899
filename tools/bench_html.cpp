// The benchmark's results as one page: a plot for each chart (share of the limit against bytes moved) and its numbers.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <sstream>

#include "tools/bench.hpp"

namespace bench {

namespace {

constexpr const char* kPageStart = R"page(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>libvkv benchmark</title>
<style>
:root { --ink: #1c2330; --soft: #66708a; --line: #dfe3ec; --paper: #f6f7fa; --card: #fff; --limit: #1c2330;
  --wrong: #b3261e;
  --c0: #2563c9; --c1: #d9612b; --c2: #16806a; --c3: #8a45c4; --c4: #b8860b; --c5: #c2326f; --c6: #4b5a75; --c7: #5b8f1d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf2; --soft: #99a3ba; --line: #323a4b; --paper: #12161e;
  --card: #1a202b;
  --limit: #e8ebf2; --wrong: #ff8a80; --c0: #74a5ff; --c1: #ff9865; --c2: #4fcbb0; --c3: #c693ff; --c4: #e6bd4f; --c5: #ff7fb0;
  --c6: #a9b7d3; --c7: #a5d65f; } }
body { margin: 0 auto; padding: 28px; max-width: 1240px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 16px; margin: 0 0 2px; }
p { margin: 6px 0; max-width: 90ch; } .soft { color: var(--soft); font-size: 13px; }
.facts { display: flex; flex-wrap: wrap; gap: 10px; margin: 16px 0; }
.facts div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 8px 16px; }
.facts b { display: block; font-size: 20px; font-variant-numeric: tabular-nums; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(540px, 100%), 1fr)); gap: 18px;
  margin-top: 20px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px;
  min-width: 0; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, sans-serif; }
svg text { fill: var(--soft); } .grid { stroke: var(--line); } .limit { stroke: var(--limit); stroke-dasharray: 5 4;
  opacity: .6; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 13px; margin: 4px 0 8px; }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 50%; margin-right: 6px; }
circle:hover { r: 7; } details { margin-top: 8px; } summary { cursor: pointer; color: var(--soft); font-size: 13px; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 13px;
  font-variant-numeric: tabular-nums; }
td, th { text-align: right; padding: 3px 8px; border-bottom: 1px solid var(--line); white-space: nowrap;
  font-weight: normal; }
th { color: var(--soft); } td:first-child, th:first-child { text-align: left; padding-left: 0; }
  .wrong { color: var(--wrong); }
td.note { text-align: left; white-space: normal; }
</style></head><body>
)page";

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

std::string number(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

double moved(const Row& row) { return static_cast<double>(row.what->read + row.what->written); }

// A plot's rows, by series in order of appearance.
struct Chart {
  std::string name;
  std::vector<std::string> series;
  std::vector<const Row*> rows;

  std::string colour(const std::string& one) const {
    const auto at = std::find(series.begin(), series.end(), one) - series.begin();
    return "var(--c" + std::to_string(at % 8) + ")";
  }
};

std::vector<Chart> charts_of(const Result& result) {
  std::vector<Chart> charts;
  for (const Row& row : result.rows) {
    const Case& c = *row.what;
    auto chart = std::find_if(charts.begin(), charts.end(), [&](const Chart& other) { return other.name == c.chart; });
    if (chart == charts.end()) chart = charts.insert(charts.end(), {c.chart, {}, {}});
    if (std::find(chart->series.begin(), chart->series.end(), c.series) == chart->series.end())
      chart->series.push_back(c.series);
    chart->rows.push_back(&row);
  }
  return charts;
}

class Plot {
 public:
  Plot(const Result& result, const Chart& chart) : result_(result), chart_(chart) {
    for (const Row* row : chart.rows) {
      if (row->timing.samples == 0) continue;
      first_ = std::min(first_, std::floor(std::log10(moved(*row)) * 2) / 2);
      last_ = std::max(last_, std::ceil(std::log10(moved(*row)) * 2) / 2);
      top_ = std::max(top_, std::ceil(result.share(*row) * 5) / 5);
    }
  }

  bool empty() const { return first_ > last_; }

  std::string svg() {
    if (first_ == last_) last_ += 0.5;
    out_ << "<svg viewBox=\"0 0 " << kWidth << ' ' << kHeight << "\" role=\"img\" aria-label=\"" << escaped(chart_.name)
         << ": share of the limit against bytes moved\">\n";
    axes();
    for (const std::string& series : chart_.series) line(series);
    out_ << "</svg>\n";
    return out_.str();
  }

 private:
  static constexpr double kWidth = 560, kHeight = 300, kLeft = 46, kRight = 12, kTop = 10, kBottom = 38;

  double x(double bytes) const {
    return kLeft + (std::log10(bytes) - first_) / (last_ - first_) * (kWidth - kLeft - kRight);
  }
  double y(double share) const { return kHeight - kBottom - share / top_ * (kHeight - kTop - kBottom); }

  void text(double at_x, double at_y, const char* anchor, const std::string& what) {
    out_ << "<text x=\"" << number(at_x, 1) << "\" y=\"" << number(at_y, 1) << "\" text-anchor=\"" << anchor << "\">"
         << what << "</text>\n";
  }

  void rule(double x1, double y1, double x2, double y2, const char* style) {
    out_ << "<line class=\"" << style << "\" x1=\"" << number(x1, 1) << "\" y1=\"" << number(y1, 1) << "\" x2=\""
         << number(x2, 1) << "\" y2=\"" << number(y2, 1) << "\"/>\n";
  }

  void axes() {
    const double step = top_ > 2 ? top_ / 5 : 0.2;
    for (double share = 0; share <= top_ + 1e-9; share += step) {
      const bool limit = std::fabs(share - 1) < 1e-9;
      rule(kLeft, y(share), kWidth - kRight, y(share), limit ? "limit" : "grid");
      text(kLeft - 6, y(share) + 4, "end", number(share * 100, 0) + " %");
    }
    for (double power = std::ceil(first_); power <= last_; power += 1) {
      const double bytes = std::pow(10.0, power);
      rule(x(bytes), kTop, x(bytes), kHeight - kBottom, "grid");
      text(x(bytes), kHeight - kBottom + 16, "middle", power_label(power));
    }
    text((kLeft + kWidth - kRight) / 2, kHeight - 4, "middle", "bytes that a call must move");
  }

  static std::string power_label(double power) {
    static const char* const units[] = {"B", "kB", "MB", "GB", "TB"};
    const int p = static_cast<int>(power);
    return std::string(p % 3 == 0 ? "1 " : p % 3 == 1 ? "10 " : "100 ") + units[p / 3];
  }

  void line(const std::string& series) {
    std::vector<const Row*> points;
    for (const Row* row : chart_.rows) {
      if (row->what->series == series && row->timing.samples > 0) points.push_back(row);
    }
    std::stable_sort(points.begin(), points.end(), [](const Row* a, const Row* b) { return moved(*a) < moved(*b); });
    const std::string colour = chart_.colour(series);
    out_ << "<polyline fill=\"none\" stroke-width=\"1.6\" opacity=\".75\" style=\"stroke:" << colour << "\" points=\"";
    for (const Row* row : points) out_ << number(x(moved(*row)), 1) << ',' << number(y(result_.share(*row)), 1) << ' ';
    out_ << "\"/>\n";
    for (const Row* row : points) {
      out_ << "<circle r=\"4.5\" cx=\"" << number(x(moved(*row)), 1) << "\" cy=\"" << number(y(result_.share(*row)), 1)
           << "\" style=\"fill:" << colour << ";stroke:var(--card);stroke-width:1.2\"><title>"
           << escaped(series + " " + row->what->size + ": " + number(result_.share(*row) * 100, 0) +
                      " % of the limit, " + seconds_text(row->timing.median) + ", " + number(row->gb_per_second(), 2) +
                      " GB/s")
           << "</title></circle>\n";
    }
  }

  const Result& result_;
  const Chart& chart_;
  double first_ = 100, last_ = -100, top_ = 1;  // powers of ten of the axis' ends; its highest share
  std::ostringstream out_;
};

std::string table(const Result& result, const Chart& chart) {
  const bool host =
      std::any_of(chart.rows.begin(), chart.rows.end(), [](const Row* row) { return row->timing.host >= 0; });
  std::ostringstream out;
  const bool goals = std::any_of(chart.rows.begin(), chart.rows.end(), [&](const Row* row) { return result.goal(*row) > 0; });
  const bool peers =
      std::any_of(chart.rows.begin(), chart.rows.end(), [&](const Row* row) { return over_peer(result, *row) > 0; });
  out << "<div class=\"wide\"><table><tr><th>case</th><th>time</th><th>bytes</th><th>GB/s</th><th>of "
         "limit</th><th>spread</th>"
      << (host ? "<th>host</th>" : "") << (goals ? "<th>goal</th><th>met</th>" : "")
      << (peers ? "<th>best peer</th><th>of its time</th>" : "") << "</tr>\n";
  for (const Row* row : chart.rows) {
    out << "<tr><td>" << escaped(row->what->series + "  " + row->what->size) << "</td>";
    if (row->timing.samples == 0) {
      const bool wrong = !row->wrong.empty();
      out << "<td class=\"note" << (wrong ? " wrong" : "") << "\" colspan=\"10\">"
          << (wrong ? "WRONG: " + escaped(row->wrong) : "skipped: " + escaped(row->skipped)) << "</td></tr>\n";
      continue;
    }
    out << "<td>" << seconds_text(row->timing.median) << "</td><td>" << bytes_text(moved(*row)) << "</td><td>"
        << number(row->gb_per_second(), 2) << "</td><td>" << number(result.share(*row) * 100, 0) << " %</td><td>"
        << number(row->spread() * 100, 0) << " %</td>";
    if (host) out << "<td>" << (row->timing.host < 0 ? "" : seconds_text(row->timing.host)) << "</td>";
    if (const double goal = result.goal(*row); goals) {
      out << "<td>" << (goal > 0 ? seconds_text(goal) : "") << "</td><td>"
          << (goal == 0 ? "" : row->timing.median <= goal ? "yes" : "no") << "</td>";
    }
    if (const double over = over_peer(result, *row); peers) {
      out << "<td>" << (over > 0 ? peer_of(*row->what)->name : "") << "</td><td>" << (over > 0 ? number(over * 100, 0) + " %" : "")
          << "</td>";
    }
    out << "</tr>\n";
  }
  out << "</table></div>";
  return out.str();
}

}  // namespace

std::string to_html(const Result& result) {
  std::ostringstream out;
  out << kPageStart << "<h1>libvkv benchmark</h1>\n<p>" << escaped(device_text(result.info)) << " &middot; "
      << result.date << "</p>\n<p class=\"soft\">" << escaped(vkv_build_info()) << "</p>\n<div class=\"facts\"><div><b>"
      << number(result.limits.read_rate() * 1e-9, 1) << " GB/s</b>read limit</div><div><b>"
      << number(result.limits.copy * 1e-9, 1)
      << " GB/s</b>copy limit, read + written</div></div>\n<p>Each point is one case; 100 % (dashed) is the time that "
         "this machine "
      << "needs merely to read (attention) or copy (all others) the same bytes, between host and device in one copy. " << escaped(result.method)
      << "</p>\n<main>\n";
  for (const Chart& chart : charts_of(result)) {
    out << "<section><h2>" << escaped(chart.name) << "</h2>\n";
    Plot plot(result, chart);
    if (!plot.empty()) {
      out << "<div class=\"legend\">";
      for (const std::string& series : chart.series) {
        out << "<span><i style=\"background:" << chart.colour(series) << "\"></i>" << escaped(series) << "</span>";
      }
      out << "</div>\n" << plot.svg();
    }
    out << "<details" << (plot.empty() ? " open" : "") << "><summary>numbers</summary>" << table(result, chart)
        << "</details></section>\n";
  }
  out << "</main></body></html>\n";
  return out.str();
}

}  // namespace bench
