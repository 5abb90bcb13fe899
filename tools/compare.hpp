// Outputs against the reference, for programs rather than tests. Each function returns an empty string, or a sentence
// that names the output and its first or worst difference.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "support/array.hpp"

namespace tools {

// The same bits, element by element in row-major order.
std::string compare_bits(const char* name, const support::Array& got, const support::Array& want);
std::string compare_bits(const char* name, const support::Array& got, const std::vector<uint64_t>& want);

// An output whose host image the reference has written: downloads it; every byte of its memory must be the same, guards
// and gaps included. NaNs in the first `any_nan` columns need not be the same NaN.
std::string compare_image(const char* name, support::Array& output, int64_t any_nan = 0);

// Relative L2 error of each run of `row` elements; NaN and infinity must be where the reference has them.
std::string compare_rows(const char* name, const support::Array& got, const std::vector<double>& want, int64_t row,
                         double tolerance);

// |got - want| <= tolerance * (1 + |want|) for each element; NaN and infinity as above.
std::string compare_numbers(const char* name, const support::Array& got, const std::vector<double>& want,
                            double tolerance);

std::string first_of(std::initializer_list<std::string> sentences);

}  // namespace tools
