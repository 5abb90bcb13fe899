// The checked problem of vkv_convert_fp8.
#pragma once

#include "core/tensor.hpp"

namespace vkv {

struct ConvertFp8 {
  Tensor dst, src;
  float scale;

  bool quantizes() const { return is_fp8(dst.dtype); }
  bool empty() const { return dst.elements() == 0; }
};

}  // namespace vkv
