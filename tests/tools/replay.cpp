// Tiny replays in every layout and dtype, each with blocks swapped out and in and everything checked.
#include "tools/replay.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/random.hpp"
#include "tools/command.hpp"

using tools::Layout;
using tools::ReplayOptions;
using tools::ReplayReport;
using tools::Request;

namespace {

// Ragged requests that arrive faster than they are done, and want more blocks than there are.
std::vector<Request> requests(int64_t count) {
  std::vector<Request> all;
  for (int64_t i = 0; i < count; ++i) {
    all.push_back({i, 0.02 * static_cast<double>(i), 1 + 17 * i % 40, 1 + 11 * i % 25});
  }
  return all;
}

ReplayOptions small(Layout layout, vkv_dtype cache_dtype) {
  ReplayOptions options;
  options.layout = layout;
  options.cache_dtype = cache_dtype;
  options.heads = 6;
  options.kv_heads = 2;
  options.head_size = 32;
  options.limits = {4, 20, 12, 8, 0.025};
  options.verify = 1;
  options.seed = support::process_seed();
  return options;
}

void check_right(const ReplayReport& report) {
  INFO(report.first_wrong << " " << report.device_report.message << " seed " << support::process_seed());
  CHECK(report.right());
  CHECK(report.rows_checked == report.counts.rows);
  CHECK(report.sequences_checked == report.counts.finished);
  CHECK(report.worst_error < report.tolerance);
  CHECK(report.attention.calls == report.counts.steps);
}

}  // namespace

TEST_CASE("replay: every layout and dtype, with swapping") {
  for (const support::Device& device : support::attending_devices()) {
    for (const Layout layout : {Layout::nhd, Layout::hnd, Layout::x}) {
      for (const vkv_dtype dtype :
           {VKV_DTYPE_BF16, VKV_DTYPE_F16, VKV_DTYPE_F32, VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2, VKV_DTYPE_NVFP4}) {
        if (layout == Layout::x && dtype == VKV_DTYPE_NVFP4) continue;
        CAPTURE(device.name, static_cast<int>(layout), vkv_dtype_string(dtype));
        const ReplayReport report = run_replay(device, small(layout, dtype), requests(24));
        check_right(report);
        CHECK(report.counts.finished == 24);
        CHECK(report.counts.sequences_out > 0);
        CHECK(report.swap_out.bytes == report.swap_in.bytes);
      }
    }
  }
}

TEST_CASE("replay: one head of one element group, blocks of one token, no host pool") {
  const support::Device& device = support::devices().front();
  ReplayOptions options = small(Layout::nhd, VKV_DTYPE_F16);
  options.heads = options.kv_heads = 1;
  options.head_size = 8;
  options.limits = {1, 100, 0, 8, 0.025};
  const ReplayReport report = run_replay(device, options, requests(12));
  check_right(report);
  CHECK(report.counts.sequences_out == 0);
  CHECK(report.counts.rewritten_sequences > 0);
}

TEST_CASE("replay: the share checked is the same in every run") {
  const support::Device& device = support::devices().front();
  const auto trace = requests(24);
  ReplayOptions options = small(Layout::hnd, VKV_DTYPE_BF16);
  options.verify = 0.25;
  const ReplayReport a = run_replay(device, options, trace), b = run_replay(device, options, trace);
  CHECK(a.rows_checked == b.rows_checked);
  CHECK(a.worst_error == b.worst_error);
  // A share of a hash over n rows: four standard deviations at most.
  const auto rows = static_cast<double>(a.counts.rows);
  CHECK(std::fabs(static_cast<double>(a.rows_checked) - 0.25 * rows) < 4 * std::sqrt(0.25 * 0.75 * rows));
}

TEST_CASE("replay: what the library or the pool cannot serve is refused") {
  const support::Device& device = support::devices().front();
  const auto refused = [&](ReplayOptions options, const std::string& words) {
    try {
      run_replay(device, options, {{0, 0, 10, 10}});
      FAIL("not refused: " << words);
    } catch (const tools::Refusal& e) {
      INFO(e.what());
      CHECK(std::string(e.what()).find(words) != std::string::npos);
    }
  };
  ReplayOptions options = small(Layout::nhd, VKV_DTYPE_BF16);
  options.head_size = 12;
  refused(options, "head sizes supported");
  options = small(Layout::x, VKV_DTYPE_FP8_E4M3);
  options.head_size = 24;  // x is 16
  refused(options, "key_cache");
  options = small(Layout::nhd, VKV_DTYPE_BF16);
  options.limits.device_blocks = 4;
  refused(options, "the pool has 4");
}

TEST_CASE("replay: nothing that is wrong passes as right") {
  CHECK(ReplayReport().right());
  const auto wrong = [](auto change) {
    ReplayReport report;
    change(report);
    return !report.right();
  };
  CHECK(wrong([](auto& r) { r.wrong_rows = 1; }));
  CHECK(wrong([](auto& r) { r.wrong_bytes = 1; }));
  CHECK(wrong([](auto& r) { r.leaked_device_blocks = 1; }));
  CHECK(wrong([](auto& r) { r.leaked_host_blocks = 1; }));
  CHECK(wrong([](auto& r) { r.device_report.count = 1; }));
}
