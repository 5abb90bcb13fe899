// Slots past the cache, planted in a writer's slot mapping: none may write anywhere, each must be reported.
#pragma once

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "support/array.hpp"
#include "support/catch.hpp"
#include "support/expect_report.hpp"

// `check` runs the op and compares its outputs with the reference, which skips such slots. `slots` has 300 or more.
template <class Check>
void check_bad_slots(const support::Device& device, int32_t op, support::Array& slots, int64_t capacity, Check check) {
  const std::vector<std::pair<int64_t, int64_t>> planted = {
      {299, capacity},         {0, capacity + 1},       {17, 2147483647},
      {100, int64_t{1} << 32}, {101, int64_t{1} << 62}, {250, std::numeric_limits<int64_t>::max()}};
  const auto plant = [&](const std::pair<int64_t, int64_t>& bad) {
    slots.set_bits(bad.first, static_cast<uint64_t>(bad.second));
    slots.upload();
  };
  plant(planted.front());
  check();
  support::expect_report(device, op, VKV_REPORT_SLOT, 1, 299, capacity, capacity);
  for (const auto& bad : planted) plant(bad);
  check();
  const vkv_device_report report = support::take_report(device);
  CHECK(report.count == planted.size());
  CHECK(report.limit == capacity);
  CHECK(std::count(planted.begin(), planted.end(), std::make_pair(report.index, report.value)) == 1);
}
