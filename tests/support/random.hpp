// Fresh random data, reproducible on demand: the process seed is drawn anew each run unless VKV_TEST_SEED is set, and
// is shown by a failing test.
#pragma once

#include <cstdint>
#include <vector>

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
  // `count` different numbers of [0, limit), in random order: slots, block ids.
  std::vector<int64_t> distinct(int64_t count, int64_t limit);
  // A slot mapping for a cache of `capacity` slots: different slots, about one in six of them negative instead.
  std::vector<int64_t> slots(int64_t tokens, int64_t capacity);

 private:
  uint64_t state_;
};

}  // namespace support
