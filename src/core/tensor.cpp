#include "core/tensor.hpp"

#include <cstdarg>
#include <cstdint>
#include <cstdio>

namespace vkv {

namespace {

// Far below overflow of byte offsets in 64 bits, far above any real memory.
constexpr int64_t kMaxBytes = int64_t{1} << 60;

// a *= b, where b > 0; false if the product is more than kMaxBytes.
bool multiply(int64_t& a, int64_t b) { return b <= 0 || (!__builtin_mul_overflow(a, b, &a) && a <= kMaxBytes); }

std::size_t append(char* text, std::size_t size, std::size_t at, const char* format, const char* word) {
  const int n = std::snprintf(text + at, size - at, format, word);
  return n < 0 || at + static_cast<std::size_t>(n) >= size ? size - 1 : at + static_cast<std::size_t>(n);
}

}  // namespace

Arg::Arg(const Check& check, const char* name, const vkv_tensor& given) : check_(check), name_(name), tensor_{} {
  const char* fn = check.function();
  if (given.ndim == 0 && given.data == nullptr) check.invalid("%s is absent, it is required", name);
  if (given.ndim < 1 || given.ndim > VKV_MAX_DIMS) check.invalid("%s.ndim is %d, expected 1 to %d", name, given.ndim, VKV_MAX_DIMS);
  if (element_size(given.dtype) == 0) check.invalid("%s.dtype is %d, which is no vkv_dtype", name, given.dtype);

  tensor_.data = given.data;
  tensor_.dtype = given.dtype;
  tensor_.ndim = given.ndim;
  bool compact = true;
  bool empty = false;
  for (int i = 0; i < given.ndim; ++i) {
    if (given.shape[i] < 0) check.invalid("%s.shape[%d] is %lld, expected 0 or more", name, i, static_cast<long long>(given.shape[i]));
    if (given.stride[i] < 0) check.invalid("%s.stride[%d] is %lld, expected 0 or more", name, i, static_cast<long long>(given.stride[i]));
    compact = compact && given.stride[i] == 0;
    empty = empty || given.shape[i] == 0;
    tensor_.shape[i] = given.shape[i];
    tensor_.stride[i] = given.stride[i];
  }
  const int64_t element = element_size(given.dtype);
  const int64_t most = kMaxBytes >> __builtin_ctzll(static_cast<uint64_t>(element));  // elements; sizes are powers of two
  if (compact) {
    int64_t held = 1;  // elements of the dimensions after i; 1 for an empty one, so that no product of extents overflows
    for (int i = given.ndim - 1; i >= 0; --i) {
      tensor_.stride[i] = held;
      if (!multiply(held, given.shape[i]) || held > most) {
        fail(VKV_ERROR_INVALID_ARGUMENT, "%s: %s spans more than 2^60 bytes", fn, name);
      }
    }
  } else {
    int64_t last = 0, held = 1;  // elements from the first to the last one in memory; elements
    for (int i = 0; i < given.ndim; ++i) {
      int64_t steps = given.stride[i];
      const bool sane = steps <= kMaxBytes && given.shape[i] <= kMaxBytes;
      if (sane && given.shape[i] > 1) last = multiply(steps, given.shape[i] - 1) ? last + steps : kMaxBytes;
      if (!sane || last > most - 1) fail(VKV_ERROR_INVALID_ARGUMENT, "%s: %s spans more than 2^60 bytes", fn, name);
    }
    for (int i = 0; i < given.ndim; ++i) {
      if (!multiply(held, given.shape[i]) || held > most) {
        fail(VKV_ERROR_INVALID_ARGUMENT, "%s: %s holds more than 2^60 bytes", fn, name);
      }
    }
  }
  if (check.pointers_matter() && !empty) {
    if (given.data == nullptr) check.invalid("%s.data is null", name);
    if ((reinterpret_cast<std::uintptr_t>(given.data) & static_cast<std::uintptr_t>(element - 1)) != 0) {
      check.invalid("%s.data is %p, expected alignment to its %lld-byte elements", name, given.data, static_cast<long long>(element));
    }
  }
}

Arg& Arg::rank(int ndim, int most) {
  if (most == 0) most = ndim;
  if (tensor_.ndim < ndim || tensor_.ndim > most) {
    if (most == ndim) check_.invalid("%s.ndim is %d, expected %d", name_, tensor_.ndim, ndim);
    check_.invalid("%s.ndim is %d, expected %d to %d", name_, tensor_.ndim, ndim, most);
  }
  return *this;
}

Arg& Arg::dtype(std::initializer_list<vkv_dtype> allowed) {
  for (vkv_dtype d : allowed) {
    if (d == tensor_.dtype) return *this;
  }
  char list[128] = "";
  std::size_t at = 0;
  const char* separator = "%s";
  for (vkv_dtype d : allowed) {
    at = append(list, sizeof list, at, separator, dtype_name(d));
    separator = " or %s";
  }
  check_.invalid("%s.dtype is %s, expected %s", name_, dtype_name(tensor_.dtype), list);
}

Arg& Arg::dtype_is(vkv_dtype expected, const char* why) {
  if (tensor_.dtype != expected) {
    check_.invalid("%s.dtype is %s, expected %s (%s)", name_, dtype_name(tensor_.dtype), dtype_name(expected), why);
  }
  return *this;
}

Arg& Arg::dim(int i, int64_t expected, const char* why) {
  if (tensor_.shape[i] != expected) {
    check_.invalid("%s.shape[%d] is %lld, expected %lld (%s)", name_, i, static_cast<long long>(tensor_.shape[i]),
                   static_cast<long long>(expected), why);
  }
  return *this;
}

Arg& Arg::dim_at_least(int i, int64_t least, const char* why) {
  if (tensor_.shape[i] < least) {
    check_.invalid("%s.shape[%d] is %lld, expected at least %lld (%s)", name_, i, static_cast<long long>(tensor_.shape[i]),
                   static_cast<long long>(least), why);
  }
  return *this;
}

Arg& Arg::dim_multiple_of(int i, int64_t divisor, const char* why) {
  if (tensor_.shape[i] % divisor != 0) {
    check_.invalid("%s.shape[%d] is %lld, expected a multiple of %lld (%s)", name_, i,
                   static_cast<long long>(tensor_.shape[i]), static_cast<long long>(divisor), why);
  }
  return *this;
}

Arg& Arg::packed_from(int first) {
  int64_t expected = 1;
  for (int i = tensor_.ndim - 1; i >= first; --i) {
    if (tensor_.shape[i] > 1 && tensor_.stride[i] != expected && tensor_.elements() != 0) {
      check_.invalid("%s.stride[%d] is %lld, expected %lld (dimensions from %d on must be packed)", name_, i,
                     static_cast<long long>(tensor_.stride[i]), static_cast<long long>(expected), first);
    }
    tensor_.stride[i] = expected;
    expected *= tensor_.shape[i];
  }
  return *this;
}

Arg& Arg::aligned(int64_t bytes, int dims) {
  if (check_.pointers_matter() && reinterpret_cast<std::uintptr_t>(tensor_.data) % static_cast<std::uintptr_t>(bytes) != 0) {
    check_.invalid("%s.data is %p, expected alignment to %lld bytes", name_, tensor_.data, static_cast<long long>(bytes));
  }
  const int64_t element = element_size(tensor_.dtype);
  for (int i = 0; i < tensor_.ndim - 1 && i < dims; ++i) {
    if (tensor_.shape[i] > 1 && tensor_.stride[i] * element % bytes != 0) {
      check_.invalid("%s.stride[%d] is %lld, expected a multiple of %lld bytes", name_, i,
                     static_cast<long long>(tensor_.stride[i]), static_cast<long long>(bytes));
    }
  }
  return *this;
}

Arg& Arg::written() {
  for (int i = 0; i < tensor_.ndim; ++i) {
    if (tensor_.shape[i] > 1 && tensor_.stride[i] == 0 && tensor_.elements() != 0) {
      check_.invalid("%s.stride[%d] is 0, but the tensor is written", name_, i);
    }
  }
  return *this;
}

Arg Check::tensor(const char* name, const vkv_tensor& given) const { return Arg(*this, name, given); }

Tensor Check::scale(const char* name, const vkv_tensor& given, int64_t heads) const {
  return optional(name, given, [&](Arg& arg) {
    arg.rank(1).dtype({VKV_DTYPE_F32});
    const long long n = arg.get().shape[0];
    if (n == 1 || (heads > 0 && n == heads)) return;
    if (heads > 1) invalid("%s.shape[0] is %lld, expected 1 or %lld (number of heads)", name, n, static_cast<long long>(heads));
    invalid("%s.shape[0] is %lld, expected 1", name, n);
  });
}

int32_t Check::option(const char* name, int32_t given, int32_t default_value, int32_t last) const {
  if (given == 0) return default_value;
  if (given < 0 || given > last) invalid("%s is %d, expected 0 to %d", name, given, last);
  return given;
}

void Check::zero(const char* name, int64_t value) const {
  if (value != 0) invalid("%s is %lld, expected 0", name, static_cast<long long>(value));
}

void Check::at_least(const char* name, int64_t value, int64_t least) const {
  if (value < least) invalid("%s is %lld, expected at least %lld", name, static_cast<long long>(value), static_cast<long long>(least));
}

namespace {
[[noreturn]] void fail_with(vkv_status status, const char* function, const char* format, va_list args) {
  char sentence[400];
  std::vsnprintf(sentence, sizeof sentence, format, args);
  fail(status, "%s: %s", function, sentence);
}
}  // namespace

void Check::invalid(const char* format, ...) const {
  va_list args;
  va_start(args, format);
  fail_with(VKV_ERROR_INVALID_ARGUMENT, function_, format, args);
}

void Check::unsupported(const char* format, ...) const {
  va_list args;
  va_start(args, format);
  fail_with(VKV_ERROR_NOT_SUPPORTED, function_, format, args);
}

void Check::not_same(const char* a_name, const Tensor& a, const char* b_name, const Tensor& b) const {
  if (a.data != nullptr && a.data == b.data && a.elements() != 0 && b.elements() != 0) {
    invalid("%s.data is %p, the memory of %s, which it must not be", a_name, a.data, b_name);
  }
}

}  // namespace vkv
