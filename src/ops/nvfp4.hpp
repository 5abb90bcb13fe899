// How NVFP4 blocks must lie, for the ops that write and read them.
#pragma once

#include "core/tensor.hpp"

namespace vkv {

// The rows of an NVFP4 block [tokens, heads, f bytes] lie in the order of the strides: by tokens, or by heads.
inline void check_nvfp4_strides(const Check& check, const char* name, const Tensor& cache) {
  const int64_t tokens = cache.shape[1], heads = cache.shape[2], f = cache.shape[3];
  const auto strides_are = [&](int64_t token, int64_t head) {
    return (tokens <= 1 || cache.stride[1] == token) && (heads <= 1 || cache.stride[2] == head);
  };
  if (strides_are(heads * f, f) || strides_are(f, tokens * f)) return;
  check.invalid(
      "%s.stride[1] and [2] are %lld and %lld, expected %lld and %lld (token-major) or %lld and %lld (head-major)",
      name, static_cast<long long>(cache.stride[1]), static_cast<long long>(cache.stride[2]),
      static_cast<long long>(heads * f), static_cast<long long>(f), static_cast<long long>(f),
      static_cast<long long>(tokens * f));
}

}  // namespace vkv
