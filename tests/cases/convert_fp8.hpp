// Cases of convert_fp8: used by the tests, the benchmark and the support matrix.
#pragma once

#include <string>
#include <vector>

#include "support/array.hpp"

namespace cases {

struct ConvertFp8 {
  std::string name;
  vkv_dtype dst, src;
  support::Shape shape, dst_stride = {}, src_stride = {};
  double scale = 0.37;
  int64_t offset = 0;  // elements by which both bases are shifted
};

inline std::vector<ConvertFp8> convert_fp8() {
  constexpr vkv_dtype kF16 = VKV_DTYPE_F16, kBf16 = VKV_DTYPE_BF16, kF32 = VKV_DTYPE_F32;
  constexpr vkv_dtype kE4m3 = VKV_DTYPE_FP8_E4M3, kE5m2 = VKV_DTYPE_FP8_E5M2;
  std::vector<ConvertFp8> all;
  for (vkv_dtype wide : {kF16, kBf16, kF32}) {
    for (vkv_dtype fp8 : {kE4m3, kE5m2}) {
      all.push_back({"narrow", fp8, wide, {7, 70}});
      all.push_back({"widen", wide, fp8, {7, 70}});
      all.push_back({"narrow, strides", fp8, wide, {7, 70}, {220, 3}, {150, 2}, 0.02, 1});
      all.push_back({"widen, strides", wide, fp8, {7, 70}, {150, 2}, {220, 3}, 0.02, 1});
    }
  }
  all.push_back({"rank 1", kE4m3, kBf16, {1000}, {}, {}, 0});
  all.push_back({"rank 3", kE4m3, kBf16, {5, 6, 7}});
  all.push_back({"rank 4, heads apart", kE4m3, kBf16, {3, 4, 5, 16}, {1000, 200, 32, 1}, {}});
  all.push_back({"rank 6", kF32, kE5m2, {2, 3, 2, 3, 2, 5}, {}, {500, 150, 70, 20, 10, 1}});
  all.push_back({"rank 6, turned round", kE5m2, kF16, {2, 3, 2, 3, 2, 5}, {1, 2, 6, 12, 36, 72}, {}});
  all.push_back({"both transposed", kE4m3, kBf16, {40, 50}, {1, 40}, {1, 40}});
  all.push_back({"dst transposed", kE4m3, kBf16, {40, 50}, {1, 40}, {}});
  all.push_back({"src transposed", kBf16, kE4m3, {40, 50}, {}, {1, 40}});
  all.push_back({"src repeated", kBf16, kE4m3, {9, 300}, {}, {0, 1}});
  all.push_back({"src repeated twice", kE4m3, kF32, {3, 9, 30}, {}, {0, 0, 1}});
  all.push_back({"extents of 1", kE4m3, kF32, {1, 9, 1, 30, 1}, {7, 40, 3, 1, 0}, {0, 30, 1, 1, 5}});
  all.push_back({"one element", kE4m3, kF32, {1, 1}});
  all.push_back({"rows of 300, strided", kE4m3, kF16, {20, 300}, {700, 2}, {900, 3}});
  all.push_back({"large", kE4m3, kBf16, {300, 1000}});
  all.push_back({"large, strided", kBf16, kE4m3, {300, 500}, {1000, 2}, {}});
  all.push_back({"nothing", kE4m3, kBf16, {5, 0, 3}});
  return all;
}

struct ConvertFp8Problem {
  ConvertFp8 c;
  support::Array dst, src;

  ConvertFp8Problem(const support::Device& device, const ConvertFp8& given, support::Random& random)
      : c(given), dst(device, c.dst, c.shape, c.dst_stride, c.offset),
        src(device, c.src, c.shape, c.src_stride, c.offset) {
    src.fill_bits(random);
    dst.fill_poison();
  }

  vkv_convert_fp8_params params() const {
    vkv_convert_fp8_params p = VKV_INIT(vkv_convert_fp8_params);
    p.dst = dst.view();
    p.src = src.view();
    p.scale = c.scale;
    return p;
  }
};

}  // namespace cases
