// MLA entries [kv_c | k_pe] in a cache of the inputs' dtype (bits copied) or of fp8 (both halves stored as x / scale).
#pragma once

#include <cstring>

#include "cpu/paging.hpp"

namespace vkv::cpu {

class MlaEntries {
 public:
  MlaEntries(const RowKernels& rows, const Tensor& kv_c, const Tensor& k_pe, const Tensor& kv_cache,
             const Tensor& scale)
      : kv_c_(kv_c), k_pe_(k_pe), cache_(kv_cache), in_size_(element_size(kv_c.dtype)),
        out_size_(element_size(kv_cache.dtype)),
        quantize_(kv_c.dtype == kv_cache.dtype ? nullptr : rows.quantize(kv_c.dtype, kv_cache.dtype)),
        scale_(quantize_ != nullptr && scale.present() ? *scale.as<const float>() : 1.0f) {}

  void write(int64_t token, const Place& at) const {
    char* entry = cache_.as<char>() + (at.block * cache_.stride[0] + at.offset * cache_.stride[1]) * out_size_;
    write(kv_c_, token, entry);
    write(k_pe_, token, entry + kv_c_.shape[1] * out_size_);
  }

 private:
  void write(const Tensor& half, int64_t token, char* to) const {
    const int64_t n = half.shape[1];
    if (n == 0) return;
    const char* from = half.as<const char>() + token * half.stride[0] * in_size_;
    if (quantize_ != nullptr) {
      quantize_(from, to, n, scale_);
    } else {
      std::memcpy(to, from, static_cast<std::size_t>(n * in_size_));
    }
  }

  const Tensor& kv_c_;
  const Tensor& k_pe_;
  const Tensor& cache_;
  const int64_t in_size_, out_size_;
  const RowKernels::Quantize quantize_;  // null: bits are copied
  const float scale_;
};

}  // namespace vkv::cpu
