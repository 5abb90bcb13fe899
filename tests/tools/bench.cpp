// The benchmark's arithmetic, its data, its verifications (which must notice a call that did nothing) and its reports.
#include "tools/bench.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "support/catch.hpp"
#include "tools/bench_data.hpp"

using support::Random;

namespace {

bool close(double a, double b) { return std::fabs(a - b) <= 1e-9 * std::fabs(b); }

}  // namespace

TEST_CASE("bench: median and quartiles") {
  const bench::Timing five = bench::summarise({5, 1, 4, 2, 3});
  CHECK(five.median == 3);
  CHECK(five.low == 2);
  CHECK(five.high == 4);
  CHECK(five.samples == 5);
  const bench::Timing two = bench::summarise({1, 3});
  CHECK(two.median == 2);
  CHECK(two.low == 1.5);
  CHECK(bench::summarise({7}).high == 7);
}

TEST_CASE("bench: limits are interpolated between measured sizes and scale beyond the last") {
  bench::Limits limits{{{100, 1}, {200, 1.5}, {400, 2.5}}, 50, 0.9};
  CHECK(limits.seconds(bench::Limit::read, 10) == 1);
  CHECK(limits.seconds(bench::Limit::read, 200) == 1.5);
  CHECK(limits.seconds(bench::Limit::read, 300) == 2);
  CHECK(limits.seconds(bench::Limit::read, 800) == 5);
  CHECK(limits.seconds(bench::Limit::copy, 100) == 2);
  limits.take_better({{{100, 2}, {200, 1}, {400, 3}}, 60, 0.5});
  CHECK(limits.seconds(bench::Limit::read, 100) == 1);
  CHECK(limits.seconds(bench::Limit::read, 200) == 1);
  CHECK(limits.seconds(bench::Limit::read, 400) == 2.5);
  CHECK(limits.copy == 60);
  CHECK(limits.quiet == 0.5);
  limits.read.resize(1);
  CHECK(close(limits.seconds(bench::Limit::read, 10), 0.1));  // one point is a bandwidth
}

TEST_CASE("bench: a sample is what lies at the picked positions") {
  Random random;
  bench::Tensor tensor(support::devices().front(), VKV_DTYPE_BF16, {9, 4, 6}, {40, 7, 1});
  tensor.fill(random);
  const support::Array all = tensor.sample({});
  REQUIRE(all.size() == 9 * 4 * 6);
  CHECK(all.bits({2, 3, 4}) == static_cast<const uint16_t*>(tensor.view().data)[2 * 40 + 3 * 7 + 4]);
  const support::Array some = tensor.sample({{8, 2}, {}, {5, 0, 1}});
  REQUIRE(some.shape() == support::Shape{2, 4, 3});
  CHECK(some.bits({0, 3, 0}) == all.bits({8, 3, 5}));
  CHECK(some.bits({1, 2, 1}) == all.bits({2, 2, 0}));
  for (int64_t i = 0; i < all.size(); ++i) REQUIRE(std::isfinite(all.at(i)));
}

TEST_CASE("bench: a sample of slots has every token of its blocks") {
  Random random(1);
  for (const int64_t tokens : {1, 100, 1000}) {
    for (const bool scattered : {false, true}) {
      const bench::Slots s(tokens, 16, scattered, random);
      const bench::SlotSample sample(s.slots, 16, random);
      std::size_t expected = 0;
      for (int64_t n = 0; n < tokens; ++n) {
        const int64_t slot = s.slots[static_cast<std::size_t>(n)];
        REQUIRE(slot >= 0);
        REQUIRE(slot < s.num_blocks * 16);
        const auto block = std::find(sample.blocks.begin(), sample.blocks.end(), slot / 16);
        if (block == sample.blocks.end()) continue;
        REQUIRE(expected < sample.tokens.size());
        CHECK(sample.tokens[expected] == n);
        CHECK(sample.slots.integer(static_cast<int64_t>(expected)) == (block - sample.blocks.begin()) * 16 + slot % 16);
        ++expected;
      }
      CHECK(expected == sample.tokens.size());
      CHECK(expected > 0);
    }
  }
}

TEST_CASE("bench: every verification passes after a call and fails without one") {
  constexpr int64_t kSmall = 5 << 20;  // bytes, to keep the test short
  const support::Device& device = support::devices().front();
  const bench::Cases cases = bench::all_cases();
  std::map<std::string, const bench::Case*> largest;  // of each series
  for (const bench::Case& c : cases) {
    const bench::Case*& chosen = largest[c.op + " " + c.series];
    if (c.footprint <= kSmall && (chosen == nullptr || chosen->footprint < c.footprint)) chosen = &c;
  }
  for (const auto& [series, c] : largest) {
    CAPTURE(series, support::process_seed());
    if (c == nullptr) continue;
    Random random(2);
    const auto instance = c->make(device, random);
    instance->prepare();
    CHECK(instance->verify() != "");
    REQUIRE(instance->call(device.stream) == VKV_OK);
    support::synchronize(device);
    CHECK(instance->verify() == "");
    CHECK(support::take_report(device).count == 0);
  }
}

TEST_CASE("bench: goals, peers and what they are compared with") {
  bench::Case c;
  c.op = "paged_attention", c.series = "32x8 bf16", c.size = "b1_s8192";
  c.limit = bench::Limit::read;
  c.read = 2000;
  c.goal = {1.05, 2.5e-6, 1000};
  bench::Result result;
  result.info = VKV_INIT(vkv_context_info);
  result.info.backend = VKV_BACKEND_CUDA;
  result.limits = {{{1000, 10e-6}, {2000, 20e-6}}, 2e9, 1};
  bench::Row row{&c, "", "", {16e-6, 15e-6, 17e-6, 10}, true};
  CHECK(close(result.limit(row), 10e-6));  // of the goal's bytes
  CHECK(close(result.goal(row), 13e-6));
  const bench::Peer* peer = bench::peer_of(c);
  REQUIRE(peer != nullptr);
  // Elsewhere in multiples of the limits, on the peer's device by the clock.
  CHECK(close(bench::over_peer(result, row), 1.6 / (peer->us / peer->limit_us)));
  std::snprintf(result.info.name, sizeof result.info.name, "NVIDIA H200");
  CHECK(close(bench::over_peer(result, row), 16 / peer->us));
  c.goal.most = 1e-6;
  CHECK(result.goal(row) == 1e-6);
  c.limit = bench::Limit::arithmetic;
  c.operations = 1e9;
  CHECK(result.limit(row) == 0);  // no peak is known
  result.limits.operations = 1e14;
  CHECK(close(result.limit(row), 1e-5));
  c.limit = bench::Limit::one_copy;
  row.timing.one_copy = 3e-6;
  CHECK(result.limit(row) == 3e-6);
  c.size = "b2";
  CHECK(bench::over_peer(result, row) == 0);
  result.info.backend = VKV_BACKEND_CPU;
  CHECK(result.goal(row) == 0);
}

TEST_CASE("bench: every peer's case is a case") {
  const bench::Cases cases = bench::all_cases();
  const auto with_peer = std::count_if(cases.begin(), cases.end(), [](const auto& c) { return bench::peer_of(c) != nullptr; });
  CHECK(with_peer == bench::num_peers());
}

TEST_CASE("bench: how far a trace's batches are from the limit") {
  bench::Cases cases(3);
  for (bench::Case& c : cases) {
    c.op = "op", c.series = "trace", c.limit = bench::Limit::copy, c.read = 1000, c.written = 0, c.of_trace = true;
  }
  cases[2].of_trace = false;
  cases[1].size = "the second";
  bench::Result result;
  result.limits = {{{1e6, 1e-3}}, 1e9, 1};
  for (const bench::Case& c : cases) result.rows.push_back({&c, "", "", {2e-6, 1e-6, 3e-6, 10}, true});
  result.rows[1].timing.median = 8e-6;
  const auto all = bench::trace_overheads(result);
  REQUIRE(all.size() == 1);
  CHECK(all[0].rows == 2);
  CHECK(close(all[0].mean, 4));
  CHECK(close(all[0].worst, 8));
  CHECK(all[0].worst_size == "the second");
}

TEST_CASE("bench: the reports hold every row") {
  bench::Cases cases(4);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    cases[i].op = "op";
    cases[i].chart = i < 2 ? "op, a < b" : "op, other";
    cases[i].series = "s" + std::to_string(i % 2);
    cases[i].size = "n=" + std::to_string(i);
    cases[i].limit = i < 2 ? bench::Limit::read : bench::Limit::copy;
    cases[i].read = 1000 << i;
    cases[i].written = 24;
  }
  bench::Result result;
  result.info = VKV_INIT(vkv_context_info);
  result.info.backend = VKV_BACKEND_CPU;
  result.method = "by \"hand\"";
  result.date = "2026-01-02";
  result.limits = {{{1e6, 1e-3}}, 2e9, 1};
  for (const bench::Case& c : cases) result.rows.push_back({&c, "", "", {2e-6, 1e-6, 3e-6, 10}, true});
  result.rows[1].wrong = "out differs";
  result.rows[1].timing = {};
  result.rows[3].skipped = "not in this build";
  result.rows[3].timing = {};
  result.rows[0].timing.host = 5e-7;

  const auto json = nlohmann::json::parse(bench::to_json(result));
  REQUIRE(json["rows"].size() == 4);
  CHECK(close(json["rows"][0]["share_of_limit"], 1024e-9 / 2e-6));
  CHECK(close(json["rows"][0]["host_seconds"], 5e-7));
  CHECK(close(json["rows"][0]["gb_per_second"], 0.512));
  CHECK(json["rows"][1]["wrong"] == "out differs");
  CHECK(close(json["rows"][2]["share_of_limit"], 4024 / 2e9 / 2e-6));
  CHECK(json["rows"][2].count("host_seconds") == 0);
  CHECK(json["rows"][3]["skipped"] == "not in this build");

  const std::string html = bench::to_html(result);
  const auto count = [&](const std::string& word) {
    int n = 0;
    for (std::size_t at = html.find(word); at != std::string::npos; at = html.find(word, at + 1)) ++n;
    return n;
  };
  CHECK(count("<circle") == 2);
  CHECK(count("<section>") == 2);
  CHECK(count("</section>") == 2);
  CHECK(count("<h2>op, a &lt; b</h2>") == 1);
  CHECK(count("WRONG: out differs") == 1);
  CHECK(count("skipped: not in this build") == 1);
  CHECK(count("by &quot;hand&quot;") == 1);
  for (const char* word : {"http", "src=", "url(", "@import", "<link"}) CHECK(count(word) == 0);  // one file, alone
}
