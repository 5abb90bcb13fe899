// Cases made from the params structs of the tests' own problems: what the call reads is captured from memory before the
// reference runs, what it should leave behind afterwards.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "golden/golden.hpp"
#include "support/array.hpp"

namespace golden {

// One case with every field of the struct that is not zero. Tensors must be in host memory. Lists get a stride of 2.
Case capture(const std::string& op, const std::string& name, const void* params);

template <class Params>
Case capture(const std::string& op, const std::string& name, const Params& params) {
  return capture(op, name, static_cast<const void*>(&params));
}

// The bytes that the tensor has now are those that it should have after the call.
void expect_exact(Case& c, const std::string& field, const vkv_tensor& tensor);

// `values`: what each element of the storage should be, gaps included.
void expect_close(Case& c, const std::string& field, const std::vector<double>& values, double relative_l2);

void expect_report(Case& c, const std::string& what, int64_t count);

// The case after `change`, as a call that is refused: numbers are zero, and small outputs keep them.
Case refused(const Case& c, const std::string& name, const std::string& message,
             const std::function<void(Case&)>& change, vkv_status status = VKV_ERROR_INVALID_ARGUMENT);

// The three mistakes that a binding makes first.
Case refused_stride(const Case& c, const std::string& field, std::size_t dimension, int64_t stride,
                    const std::string& message);
Case refused_dtype(const Case& c, const std::string& field, vkv_dtype dtype, const std::string& message);
Case refused_null(const Case& c, const std::string& field);

Case refused_scalar(const Case& c, const std::string& field, int64_t value, const std::string& message,
                    vkv_status status = VKV_ERROR_INVALID_ARGUMENT);

// Numbers of moderate size, the same on every machine.
void fill_uniform(support::Array& array, support::Random& random, double low = -4, double high = 4);

// An output whose elements and gaps all hold 1.5.
support::Array blank(vkv_dtype dtype, support::Shape shape, support::Shape stride = {});
constexpr double kBlank = 1.5;

// Storage of `array`, all kBlank but for its elements, which are `values` in row-major order.
std::vector<double> storage_of(const support::Array& array, const std::vector<double>& values);

}  // namespace golden
