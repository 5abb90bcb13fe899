#include "support/compare.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace support {

namespace {
bool same_special(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (std::isinf(a) || std::isinf(b)) return a == b;
  return true;
}
}  // namespace

Difference compare(const std::vector<double>& got, const std::vector<double>& want) {
  Difference d;
  if (got.size() != want.size()) {
    d.same_specials = false;
    return d;
  }
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (!same_special(got[i], want[i])) {
      if (d.same_specials) d.first_special = static_cast<int64_t>(i);
      d.same_specials = false;
      continue;
    }
    if (!std::isfinite(want[i])) continue;
    const double e = std::fabs(got[i] - want[i]);
    error += e * e;
    norm += want[i] * want[i];
    if (e > d.worst) {
      d.worst = e;
      d.worst_at = static_cast<int64_t>(i);
    }
  }
  d.relative_l2 = error == 0 ? 0 : std::sqrt(error / norm);
  return d;
}

Difference compare(const Array& got, const std::vector<double>& want) {
  std::vector<double> values(static_cast<std::size_t>(got.size()));
  for (int64_t i = 0; i < got.size(); ++i) values[static_cast<std::size_t>(i)] = got.at(i);
  return compare(values, want);
}

std::string Difference::text() const {
  std::ostringstream out;
  if (!same_specials) out << "NaN or infinity differs first at " << first_special << "; ";
  out << "relative L2 " << relative_l2 << ", worst " << worst << " at " << worst_at;
  return out.str();
}

int64_t first_difference(const std::vector<uint8_t>& got, const std::vector<uint8_t>& want) {
  const auto at = std::mismatch(got.begin(), got.end(), want.begin(), want.end());
  return at.first == got.end() && at.second == want.end() ? -1 : at.first - got.begin();
}

}  // namespace support
