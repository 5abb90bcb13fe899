// Comparison with the float64 reference: positions of NaN and infinity first, then the relative L2 error, then the worst
// element.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "support/array.hpp"

namespace support {

struct Difference {
  bool same_specials = true;   // NaN and infinity (with sign) at the same positions
  int64_t first_special = -1;  // first position where they differ
  double relative_l2 = 0;      // ||got - want|| / ||want|| over finite elements; 0/0 = 0
  double worst = 0;            // largest |got - want| over finite elements
  int64_t worst_at = -1;
  std::string text() const;
};

Difference compare(const std::vector<double>& got, const std::vector<double>& want);
// All elements of `got`, row-major, against `want`.
Difference compare(const Array& got, const std::vector<double>& want);

// Position of the first byte in which two images differ; -1 where they are the same.
int64_t first_difference(const std::vector<uint8_t>& got, const std::vector<uint8_t>& want);

}  // namespace support

// One line in a test: got must match want within a relative L2 error and an absolute worst error.
#define VKV_CHECK_CLOSE(got, want, l2, worst_allowed)                          \
  do {                                                                         \
    const auto vkv_difference = support::compare(got, want);                   \
    INFO(vkv_difference.text() << " seed " << support::process_seed());        \
    CHECK(vkv_difference.same_specials);                                       \
    CHECK(vkv_difference.relative_l2 <= (l2));                                 \
    CHECK(vkv_difference.worst <= (worst_allowed));                            \
  } while (false)
