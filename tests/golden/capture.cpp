#include "golden/capture.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "golden/params.hpp"

namespace golden {

namespace {

int64_t elements_of_storage(const std::vector<int64_t>& shape, const std::vector<int64_t>& stride) {
  int64_t extent = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) return 0;
    extent += (shape[i] - 1) * stride[i];
  }
  return extent;
}

std::vector<int64_t> compact_strides(const std::vector<int64_t>& shape) {
  std::vector<int64_t> stride(shape.size(), 1);
  for (std::size_t i = stride.size(); i-- > 1;) stride[i - 1] = stride[i] * shape[i];
  return stride;
}

Tensor capture_tensor(const std::string& field, const vkv_tensor& view) {
  Tensor t{field, view.dtype, {view.shape, view.shape + view.ndim}, {view.stride, view.stride + view.ndim}, false, {}};
  const auto* bytes = static_cast<const uint8_t*>(view.data);
  t.storage.assign(bytes, bytes + elements_of_storage(t.shape, t.stride) * support::element_size(t.dtype));
  if (t.stride == compact_strides(t.shape)) t.stride.clear();
  return t;
}

// A list of two elements or more; between them numbers that are wrong everywhere.
void spread(Tensor& list) {
  const auto size = static_cast<std::size_t>(support::element_size(list.dtype));
  const Bytes compact = list.storage;
  list.stride = {2};
  list.storage.assign((2 * compact.size() / size - 1) * size, 0xFE);
  for (std::size_t i = 0; i < compact.size(); ++i) list.storage[i / size * 2 * size + i % size] = compact[i];
}

// The shortest decimal number that reads back as x.
template <class Float>
std::string shortest(Float x) {
  for (int digits = 1;; ++digits) {
    std::ostringstream out;
    out.precision(digits);
    out << x;
    if (static_cast<Float>(std::strtod(out.str().c_str(), nullptr)) == x) return out.str();
  }
}

template <class Number>
Number number_at(const char* at) {
  Number x;
  std::memcpy(&x, at, sizeof x);
  return x;
}

std::string number_text(const std::string& type, const char* at) {
  if (type == "float") return shortest(number_at<float>(at));
  if (type == "double") return shortest(number_at<double>(at));
  if (type == "int64_t" || type == "uint64_t") return std::to_string(number_at<int64_t>(at));
  return std::to_string(number_at<int32_t>(at));
}

}  // namespace

Case capture(const std::string& op, const std::string& name, const void* params) {
  Case c;
  c.name = name;
  c.op = op;
  for (const Field& f : ops().at(op).fields) {
    const char* at = static_cast<const char*>(params) + f.offset;
    if (f.is_tensor()) {
      const auto view = number_at<vkv_tensor>(at);
      if (view.ndim == 0) continue;
      c.tensors.push_back(capture_tensor(f.name, view));
      Tensor& t = c.tensors.back();
      if (t.shape.size() == 1 && t.shape[0] > 1 && t.stride.empty()) spread(t);
    } else if (!f.is_implied() && number_text(f.type, at) != "0") {
      c.scalars.push_back({f.name, number_text(f.type, at)});
    }
  }
  return c;
}

void expect_exact(Case& c, const std::string& field, const vkv_tensor& tensor) {
  c.expectations.push_back({field, -1, 0, capture_tensor(field, tensor).storage});
}

void expect_close(Case& c, const std::string& field, const std::vector<double>& values, double relative_l2) {
  Expectation e{field, relative_l2, VKV_DTYPE_F32, {}};
  for (const double value : values) {
    const uint64_t bits = support::encode(VKV_DTYPE_F32, value);
    for (int shift = 0; shift < 32; shift += 8) e.bytes.push_back(static_cast<uint8_t>(bits >> shift));
  }
  c.expectations.push_back(std::move(e));
}

void expect_report(Case& c, const std::string& what, int64_t count) {
  c.report_what = what;
  c.report_count = count;
}

Case refused(const Case& c, const std::string& name, const std::string& message,
             const std::function<void(Case&)>& change, vkv_status status) {
  Case bad = c;
  bad.name = name;
  bad.status = status;
  bad.message = message;
  bad.expectations.clear();
  bad.report_what.clear();
  for (Tensor& t : bad.tensors) {
    if (t.dtype != VKV_DTYPE_I32 && t.dtype != VKV_DTYPE_I64) t.storage.assign(t.storage.size(), 0);
  }
  constexpr std::size_t kSmall = 512;
  for (const Expectation& e : c.expectations) {
    const Bytes& storage = bad.tensor(e.field).storage;
    if (storage.size() <= kSmall) bad.expectations.push_back({e.field, -1, 0, storage});
  }
  change(bad);
  return bad;
}

Case refused_stride(const Case& c, const std::string& field, std::size_t dimension, int64_t stride,
                    const std::string& message) {
  return refused(c, "wrong stride of " + field, message, [&](Case& bad) {
    Tensor& t = bad.tensor(field);
    if (t.stride.empty()) t.stride = compact_strides(t.shape);
    t.stride[dimension] = stride;
  });
}

Case refused_dtype(const Case& c, const std::string& field, vkv_dtype dtype, const std::string& message) {
  return refused(c, "wrong dtype of " + field, message, [&](Case& bad) { bad.tensor(field).dtype = dtype; });
}

Case refused_null(const Case& c, const std::string& field) {
  return refused(c, "no data in " + field, field + ".data is null", [&](Case& bad) {
    bad.tensor(field).null = true;
    bad.tensor(field).storage.clear();
  });
}

Case refused_scalar(const Case& c, const std::string& field, int64_t value, const std::string& message,
                    vkv_status status) {
  const auto change = [&](Case& bad) {
    const auto named = [&](const Scalar& s) { return s.field == field; };
    bad.scalars.erase(std::remove_if(bad.scalars.begin(), bad.scalars.end(), named), bad.scalars.end());
    bad.scalars.push_back({field, std::to_string(value)});
  };
  return refused(c, field + " " + std::to_string(value), message, change, status);
}

void fill_uniform(support::Array& array, support::Random& random, double low, double high) {
  for (int64_t i = 0; i < array.size(); ++i) array.set(i, random.uniform(low, high));
  array.upload();
}

support::Array blank(vkv_dtype dtype, support::Shape shape, support::Shape stride) {
  support::Array array(support::host(), dtype, std::move(shape), std::move(stride));
  const uint64_t bits = support::encode(dtype, kBlank);
  const int64_t size = support::element_size(dtype), count = elements_of_storage(array.shape(), array.stride());
  for (int64_t i = 0; i < count; ++i) std::memcpy(array.base() + i * size, &bits, static_cast<std::size_t>(size));
  array.upload();
  return array;
}

std::vector<double> storage_of(const support::Array& array, const std::vector<double>& values) {
  const int64_t count = elements_of_storage(array.shape(), array.stride());
  std::vector<double> all(static_cast<std::size_t>(count), kBlank);
  for (int64_t i = 0; i < array.size(); ++i) {
    all[static_cast<std::size_t>(array.offset(i))] = values[static_cast<std::size_t>(i)];
  }
  return all;
}

}  // namespace golden
