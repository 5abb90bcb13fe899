#include "tools/compare.hpp"

#include <algorithm>
#include <cmath>

#include "support/compare.hpp"

namespace tools {

namespace {

std::string differs(const char* name, const std::string& how) {
  return std::string(name) + " differs from the reference: " + how;
}

template <class Want>
std::string first_difference(const char* name, const support::Array& got, int64_t size, const Want& want) {
  if (got.size() != size)
    return differs(name, std::to_string(got.size()) + " elements, expected " + std::to_string(size));
  for (int64_t i = 0; i < size; ++i) {
    if (got.bits(i) == want(i)) continue;
    return differs(name, "element " + std::to_string(i) + " has bits " + std::to_string(got.bits(i)) + ", expected " +
                             std::to_string(want(i)));
  }
  return "";
}

}  // namespace

std::string compare_bits(const char* name, const support::Array& got, const support::Array& want) {
  return first_difference(name, got, want.size(), [&](int64_t i) { return want.bits(i); });
}

std::string compare_bits(const char* name, const support::Array& got, const std::vector<uint64_t>& want) {
  return first_difference(name, got, static_cast<int64_t>(want.size()),
                          [&](int64_t i) { return want[static_cast<std::size_t>(i)]; });
}

std::string compare_image(const char* name, support::Array& output, int64_t any_nan) {
  if (any_nan > 0) output.unify_nans(any_nan);
  const std::vector<uint8_t> want = output.image();
  output.download();
  if (any_nan > 0) output.unify_nans(any_nan);
  const int64_t at = support::first_difference(output.image(), want);
  return at < 0 ? ""
                : differs(name, "byte " + std::to_string(at) + " of the " + std::to_string(want.size()) +
                                    " around and in it");
}

std::string compare_rows(const char* name, const support::Array& got, const std::vector<double>& want, int64_t row,
                         double tolerance) {
  double worst = 0;
  int64_t worst_at = 0;
  for (int64_t first = 0; first < got.size(); first += row) {
    std::vector<double> values;
    for (int64_t i = first; i < first + row; ++i) values.push_back(got.at(i));
    const support::Difference difference = support::compare(
        values, {want.begin() + first, want.begin() + std::min(first + row, static_cast<int64_t>(want.size()))});
    if (!difference.same_specials)
      return differs(name, "row " + std::to_string(first / row) + ": " + difference.text());
    if (difference.relative_l2 <= worst) continue;
    worst = difference.relative_l2;
    worst_at = first / row;
  }
  if (worst <= tolerance) return "";
  return differs(name, "row " + std::to_string(worst_at) + " has relative L2 error " + std::to_string(worst) +
                           ", expected at most " + std::to_string(tolerance));
}

std::string compare_numbers(const char* name, const support::Array& got, const std::vector<double>& want,
                            double tolerance) {
  for (int64_t i = 0; i < got.size(); ++i) {
    const double x = got.at(i), y = want.at(static_cast<std::size_t>(i));
    if (support::compare(std::vector<double>{x}, {y}).same_specials &&
        !(std::fabs(x - y) > tolerance * (1 + std::fabs(y)))) {
      continue;
    }
    return differs(name,
                   "element " + std::to_string(i) + " is " + std::to_string(x) + ", expected " + std::to_string(y));
  }
  return "";
}

std::string first_of(std::initializer_list<std::string> sentences) {
  for (const std::string& sentence : sentences) {
    if (!sentence.empty()) return sentence;
  }
  return "";
}

}  // namespace tools
