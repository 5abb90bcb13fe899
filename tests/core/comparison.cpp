// The tests' own means of seeing a fault: comparison, guard zones, random data.
#include "support/compare.hpp"

#include <cmath>
#include <limits>

#include "support/catch.hpp"

using support::Array;

TEST_CASE("compare sees a misplaced NaN, a wrong infinity, a wrong length and a wrong number") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const std::vector<double> want = {1, nan, 2, inf, -2};
  CHECK(support::compare(want, want).same_specials);
  CHECK(support::compare(want, want).relative_l2 == 0);
  CHECK(support::compare({1, 2, nan, inf, -2}, want).first_special == 1);
  CHECK_FALSE(support::compare({1, nan, 2, -inf, -2}, want).same_specials);
  CHECK_FALSE(support::compare({1, nan, nan, inf, -2}, want).same_specials);
  CHECK_FALSE(support::compare({1, nan, 2}, want).same_specials);
  const support::Difference d = support::compare({1, nan, 2.3, inf, -2}, want);
  CHECK(d.same_specials);
  CHECK(d.worst_at == 2);
  CHECK(std::fabs(d.worst - 0.3) < 1e-12);
  CHECK(std::fabs(d.relative_l2 - 0.1) < 1e-12);  // 0.3 / sqrt(1 + 4 + 4)
  CHECK(std::isinf(support::compare({1.0}, {0.0}).relative_l2));
}

TEST_CASE("arrays see a write before, behind and between their elements") {
  for (const support::Device& device : support::devices()) {
    Array array(device, VKV_DTYPE_F32, {2, 3}, {8, 2}, 1);
    CHECK(array.intact());
    CHECK(array.size() == 6);
    array.set({1, 2}, 7);
    CHECK(array.at(5) == 7);
    CHECK(array.intact());
    for (int64_t at : {int64_t{-1}, int64_t{4}, int64_t{8 + 4 * 4 + 1}, int64_t{12 * 4 + 4}}) {
      CAPTURE(at);
      array.base()[at] ^= 1;
      CHECK_FALSE(array.intact());
      array.base()[at] ^= 1;
      CHECK(array.intact());
    }
    array.upload();
    array.set({1, 2}, 0);
    array.download();
    CHECK(array.at({1, 2}) == 7);
    CHECK_FALSE(Array().present());
    CHECK(Array().view().ndim == 0);
  }
}

TEST_CASE("random streams differ and stay inside their bounds") {
  support::Random a(1), b(2), c(1);
  CHECK(a.bits() != b.bits());
  CHECK(c.bits() != c.bits());
  double sum = 0, squares = 0;
  for (int i = 0; i < 4000; ++i) {
    const double u = a.uniform(-2, 3);
    if (u < -2 || u >= 3) CHECK(u == 0);
    const int64_t n = a.integer(-3, 3);
    if (n < -3 || n > 3) CHECK(n == 0);
    const double x = a.normal();
    sum += x;
    squares += x * x;
  }
  // Six standard deviations of the mean and of the variance of 4000 normal numbers.
  CHECK(std::fabs(sum / 4000) < 6 / std::sqrt(4000.0));
  CHECK(std::fabs(squares / 4000 - 1) < 6 * std::sqrt(2 / 4000.0));
}
