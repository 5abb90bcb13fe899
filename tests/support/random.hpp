// Fresh random data, reproducible on demand: the process seed is drawn anew each run unless VKV_TEST_SEED is set, and
// is shown by a failing test.
#pragma once

#include <cstdint>

namespace support {

uint64_t process_seed();

class Random {
 public:
  // A generator of its own for each call site and case: streams differ by `stream`.
  explicit Random(uint64_t stream = 0);

  uint64_t bits();
  double uniform();                                      // [0, 1)
  double uniform(double low, double high);
  double normal();                                       // mean 0, variance 1
  int64_t integer(int64_t low, int64_t high);            // both inclusive

 private:
  uint64_t state_;
};

}  // namespace support
