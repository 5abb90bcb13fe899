// The device report that a test expects: how many events, and the first of them.
#pragma once

#include "support/catch.hpp"
#include "support/device.hpp"

namespace support {

// Reads and clears the report; every field must be as given.
inline void expect_report(const Device& device, int32_t op, int32_t what, int64_t count, int64_t index, int64_t value,
                          int64_t limit) {
  const vkv_device_report report = take_report(device);
  INFO("report: " << report.message);
  CHECK(report.op == op);
  CHECK(report.what == what);
  CHECK(report.count == static_cast<uint64_t>(count));
  CHECK(report.index == index);
  CHECK(report.value == value);
  CHECK(report.limit == limit);
}

}  // namespace support
