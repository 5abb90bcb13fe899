// The device report of the CPU backend: the first out-of-range event since the last read, and how many there were.
#pragma once

#include <cstdint>
#include <mutex>

#include "vkv.h"

namespace vkv {

class Report {
 public:
  // From any thread. `limit` is the smallest number that is too large.
  void note(int32_t op, int32_t what, int64_t index, int64_t value, int64_t limit) noexcept;
  vkv_device_report take() noexcept;

 private:
  std::mutex mutex_;  // taken on bad input only
  vkv_device_report first_{};
};

// Writes the event as a sentence into report.message.
void describe_report(vkv_device_report& report) noexcept;
const char* op_name(int32_t op) noexcept;

}  // namespace vkv
