// Tensor: a checked view. Arg: the checks, each of which names the argument, what it is and what it should be.
//
// An op's validation reads as a list of facts:
//     const Tensor key = check.tensor("key", p.key).rank(3).dtype(kFloats).packed_from(2).get();
#pragma once

#include <initializer_list>

#include "core/dtype.hpp"
#include "core/error.hpp"

namespace vkv {

// Strides are resolved (never all zero) and in elements.
struct Tensor {
  void* data;
  vkv_dtype dtype;
  int32_t ndim;
  int64_t shape[VKV_MAX_DIMS];
  int64_t stride[VKV_MAX_DIMS];

  bool present() const { return ndim != 0; }

  // Of one index of the dimensions before `first`.
  int64_t elements(int first = 0) const {
    int64_t n = 1;
    for (int i = first; i < ndim; ++i) n *= shape[i];  // Arg bounds every product of extents
    return n;
  }

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

inline constexpr std::initializer_list<vkv_dtype> kFloats = {VKV_DTYPE_F16, VKV_DTYPE_BF16, VKV_DTYPE_F32};

class Check;

class Arg {
 public:
  // Refuses any rank but `ndim` (at most `most` where given).
  Arg& rank(int ndim, int most = 0);
  Arg& dtype(std::initializer_list<vkv_dtype> allowed);
  // The dtype of another argument, or a constant; `why` says whose.
  Arg& dtype_is(vkv_dtype expected, const char* why);
  Arg& dim(int i, int64_t expected, const char* why);
  Arg& dim_at_least(int i, int64_t least, const char* why);
  Arg& dim_multiple_of(int i, int64_t divisor, const char* why);
  // Dimensions i.. are row-major compact. Strides of a tensor without elements are not looked at, here and in written().
  Arg& packed_from(int i);
  // Data and all strides but the last, or those of the first `dims` dimensions, are multiples of `bytes`.
  Arg& aligned(int64_t bytes, int dims = VKV_MAX_DIMS);
  // The op writes it: no dimension may repeat the same memory.
  Arg& written();

  const Tensor& get() const { return tensor_; }
  operator const Tensor&() const { return tensor_; }
  const char* name() const { return name_; }

 private:
  friend class Check;
  Arg(const Check& check, const char* name, const vkv_tensor& given);

  const Check& check_;
  const char* name_;
  Tensor tensor_;
};

// Context of one validation: the function's name for messages, and whether data pointers count.
class Check {
 public:
  Check(const char* function, bool pointers_matter) : function_(function), pointers_matter_(pointers_matter) {}

  const char* function() const { return function_; }
  bool pointers_matter() const { return pointers_matter_; }

  // A required tensor, checked for what every tensor must be: known dtype, sane extents, pointer not null.
  Arg tensor(const char* name, const vkv_tensor& given) const;

  // An optional tensor: absent gives an empty Tensor, present is passed to `rules` (a callable on Arg&).
  template <class Rules>
  Tensor optional(const char* name, const vkv_tensor& given, Rules&& rules) const {
    if (given.data == nullptr && given.ndim == 0) return Tensor{};
    Arg arg = tensor(name, given);
    rules(arg);
    return arg.get();
  }

  // A scale: absent, [1] or, if `heads` > 0, [heads]; f32.
  Tensor scale(const char* name, const vkv_tensor& given, int64_t heads = 0) const;

  // An enum field: 0 becomes `default_value`; other values must be in 1..last.
  int32_t option(const char* name, int32_t given, int32_t default_value, int32_t last) const;

  void zero(const char* name, int64_t value) const;  // reserved fields
  void at_least(const char* name, int64_t value, int64_t least) const;

  [[noreturn, gnu::format(printf, 2, 3)]] void invalid(const char* format, ...) const;
  [[noreturn, gnu::format(printf, 2, 3)]] void unsupported(const char* format, ...) const;

  // Two tensors must not start at the same memory.
  void not_same(const char* a_name, const Tensor& a, const char* b_name, const Tensor& b) const;

 private:
  const char* function_;
  bool pointers_matter_;
};

// Index of head h in a scale tensor that has one element or one a head.
inline int64_t scale_index(const Tensor& scale, int64_t head) { return scale.shape[0] == 1 ? 0 : head * scale.stride[0]; }

}  // namespace vkv
