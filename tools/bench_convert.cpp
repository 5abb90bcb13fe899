// Benchmark cases of the operations that only read and write dense tensors: conversion and merging.
#include "support/reference/convert_fp8.hpp"
#include "tools/bench.hpp"
#include "tools/bench_data.hpp"

namespace bench {

namespace {

using support::Device;
using support::Random;

constexpr int64_t kRow = 4096;
constexpr double kScale = 0.05;

struct Conversion {
  vkv_dtype dst, src;
  int64_t rows;
};

struct ConvertFp8 final : Instance {
  ConvertFp8(const Device& on, const Conversion& c, Random& random)
      : device(on), dst(on, c.dst, {c.rows, kRow}), src(on, c.src, {c.rows, kRow}), rows(some_of(c.rows, random)) {
    src.fill(random);
    dst.zero();
    params.dst = dst.view();
    params.src = src.view();
    params.scale = kScale;
  }

  vkv_status call(vkv_stream stream) const override { return vkv_convert_fp8(device.ctx, &params, stream); }

  std::string verify() const override {
    return compare_bits("dst", dst.sample({rows}),
                        reference::convert_fp8(src.sample({rows}), params.dst.dtype, kScale));
  }

  Device device;
  Tensor dst, src;
  Pick rows;
  vkv_convert_fp8_params params = VKV_INIT(vkv_convert_fp8_params);
};

}  // namespace

void add_convert_cases(Cases& cases) {
  constexpr vkv_dtype kWide = VKV_DTYPE_BF16;
  for (const vkv_dtype fp8 : {VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2}) {
    for (const bool narrow : {true, false}) {
      for (const int64_t mib : {1, 16, 256}) {  // of the wide side
        const int64_t elements = (mib << 20) / support::element_size(kWide), wide = mib << 20, bytes = wide + elements;
        const Conversion c{narrow ? fp8 : kWide, narrow ? kWide : fp8, elements / kRow};
        cases.push_back({"convert_fp8", "convert_fp8",
                         std::string(vkv_dtype_string(c.src)) + " to " + vkv_dtype_string(c.dst),
                         std::to_string(mib) + " MiB", Limit::copy, narrow ? wide : elements, narrow ? elements : wide,
                         bytes, maker<ConvertFp8>(c)});
      }
    }
  }
}

}  // namespace bench
