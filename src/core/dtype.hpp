// What the library knows about each dtype: its size and its name.
#pragma once

#include "vkv.h"

namespace vkv {

constexpr int64_t element_size(vkv_dtype dtype) {
  switch (dtype) {
    case VKV_DTYPE_F16:
    case VKV_DTYPE_BF16: return 2;
    case VKV_DTYPE_F32:
    case VKV_DTYPE_I32: return 4;
    case VKV_DTYPE_I64: return 8;
    case VKV_DTYPE_FP8_E4M3:
    case VKV_DTYPE_FP8_E5M2:
    case VKV_DTYPE_U8:
    case VKV_DTYPE_NVFP4:
    case VKV_DTYPE_FP8_DS_MLA: return 1;
    default: return 0;  // unknown
  }
}

constexpr const char* dtype_name(vkv_dtype dtype) {
  switch (dtype) {
    case VKV_DTYPE_F16: return "f16";
    case VKV_DTYPE_BF16: return "bf16";
    case VKV_DTYPE_F32: return "f32";
    case VKV_DTYPE_FP8_E4M3: return "e4m3";
    case VKV_DTYPE_FP8_E5M2: return "e5m2";
    case VKV_DTYPE_U8: return "u8";
    case VKV_DTYPE_I32: return "i32";
    case VKV_DTYPE_I64: return "i64";
    case VKV_DTYPE_NVFP4: return "nvfp4";
    case VKV_DTYPE_FP8_DS_MLA: return "fp8_ds_mla";
    default: return "unknown dtype";
  }
}

constexpr bool is_fp8(vkv_dtype dtype) { return dtype == VKV_DTYPE_FP8_E4M3 || dtype == VKV_DTYPE_FP8_E5M2; }

constexpr bool is_float(vkv_dtype dtype) {
  return dtype == VKV_DTYPE_F16 || dtype == VKV_DTYPE_BF16 || dtype == VKV_DTYPE_F32;
}

}  // namespace vkv
