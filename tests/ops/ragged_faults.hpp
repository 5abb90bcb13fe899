// Bad numbers in block tables, offsets and starts, planted alike in every gather that has them all.
#pragma once

#include "cases/ragged.hpp"
#include "support/catch.hpp"

namespace ragged_faults {

struct Event {
  int32_t what;
  int64_t count, index, value, limit;
};

inline void check_report(const support::Device& device, int32_t op, const Event& event) {
  const vkv_device_report report = support::take_report(device);
  CHECK(report.op == op);
  CHECK(report.what == event.what);
  CHECK(report.count == static_cast<uint64_t>(event.count));
  CHECK(report.index == event.index);
  CHECK(report.value == event.value);
  CHECK(report.limit == event.limit);
}

constexpr int64_t kMax = 2147483647, kMin = -kMax - 1;

// `make(device, ragged)` gives a problem; `check(device, problem)` runs it, compares every byte with the reference, and
// returns how many rows lie nowhere in the cache.
template <class Make, class Check>
void check_bad_rows(int32_t op, Make make, Check check) {
  for (const support::Device& device : support::devices()) {
    for (int64_t id : {int64_t{-1}, int64_t{7}, kMax, kMin}) {
      CAPTURE(device.name, id, support::process_seed());
      auto problem = make(device, {{5, 11, 3}, 4, {2, 5, 0}});
      problem.ragged.block_table.set_bits({1, 2}, static_cast<uint64_t>(id));  // tokens 8 to 11 of sequence 1
      problem.ragged.block_table.upload();
      CHECK(check(device, problem) == 4);
      check_report(device, op, {VKV_REPORT_BLOCK_ID, 4, problem.ragged.block_table.position({1, 2}), id, 7});
    }
    {
      auto problem = make(device, {{5, 11, 3}, 4, {2, 5, 0}, 0, 0, 7, 3});
      CHECK(check(device, problem) == 4);  // tokens 12 to 15 of sequence 1
      check_report(device, op, {VKV_REPORT_TABLE_COLUMN, 4, 1, 3, 3});
    }
    for (int64_t start : {int64_t{-1}, kMin}) {
      CAPTURE(device.name, start, support::process_seed());
      auto problem = make(device, {{5, 11, 3}, 4, {0, 0, 0}});
      problem.ragged.seq_starts.fill_integers({0, start, 0});
      CHECK(check(device, problem) == 11);
      check_report(device, op, {VKV_REPORT_POSITION, 11, 1, start, int64_t{1} << 31});
    }
    {
      auto problem = make(device, {{5, 1, 3}, 4, {0, 0, 0}, 0, 0, 7, 5});
      problem.ragged.seq_starts.fill_integers({0, kMax, 0});
      CHECK(check(device, problem) == 1);
      check_report(device, op, {VKV_REPORT_TABLE_COLUMN, 1, 1, kMax / 4, 5});
    }
  }
}

// `run(device, problem)` runs without a comparison: what rows hold where offsets are out of order is unspecified.
template <class Make, class Check, class Run>
void check_bad_offsets(int32_t op, Make make, Check check, Run run) {
  struct Planted {
    std::vector<int64_t> offsets;
    int64_t index, value, limit;  // of the only event, or of nothing to check where limit is 0
  };
  for (const support::Device& device : support::devices()) {
    for (const Planted& planted :
         {Planted{{0, 5, 4, 20}, 1, 5, 5}, Planted{{-3, 5, 9, 20}, 0, -3, 6}, Planted{{0, 5, 9, 21}, 3, 21, 21},
          Planted{{0, 5, 9, kMax}, 3, kMax, 21}, Planted{{kMin, kMin, kMin, kMin}, 0, 0, 0},
          Planted{{kMax, kMin, kMax, kMin}, 0, 0, 0}, Planted{{kMin, kMax, kMin, kMax}, 0, 0, 0},
          Planted{{kMax, kMax, kMax, kMax}, 0, 0, 0}, Planted{{20, 9, 5, 0}, 0, 0, 0}}) {
      CAPTURE(device.name, planted.offsets[0], planted.offsets[1], planted.offsets[2], support::process_seed());
      auto problem = make(device, {{5, 4, 11}, 8});
      auto& table = problem.ragged.block_table;
      table.fill_integers(std::vector<int64_t>(static_cast<std::size_t>(table.size()), 3));
      problem.ragged.offsets.fill_integers(planted.offsets);
      run(device, problem);
      const vkv_device_report report = support::take_report(device);
      CHECK(report.count > 0);
      CHECK(report.op == op);
      if (planted.limit != 0) {
        CHECK(report.what == VKV_REPORT_OFFSET);
        CHECK(report.index == planted.index);
        CHECK(report.value == planted.value);
        CHECK(report.limit == planted.limit);
      }
      problem.dst.download();
      CHECK(problem.dst.intact());
    }
    // Past the buffer: the rows that exist are gathered all the same.
    auto problem = make(device, {{5, 4, 11}, 8});
    problem.ragged.offsets.fill_integers({0, 5, 9, 23});
    CHECK(check(device, problem) == 0);
    check_report(device, op, {VKV_REPORT_OFFSET, 1, 3, 23, 21});
  }
}

}  // namespace ragged_faults
