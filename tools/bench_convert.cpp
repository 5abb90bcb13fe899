// Benchmark cases of the operations that only read and write dense tensors: conversion and merging.
#include "support/reference/convert_fp8.hpp"
#include "support/reference/merge_attn_states.hpp"
#include "tools/bench.hpp"
#include "tools/bench_data.hpp"
#include "tools/verify.hpp"

namespace bench {

namespace {

using support::Device;
using support::Random;

constexpr vkv_dtype kWide = VKV_DTYPE_BF16;
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

constexpr int64_t kHeads = 32, kDim = 128;

struct MergeAttnStates final : Instance {
  MergeAttnStates(const Device& on, int64_t count, Random& random)
      : device(on),
        output(on, kWide, {count, kHeads, kDim}),
        lse(on, VKV_DTYPE_F32, {kHeads, count}),
        tokens(some_of(count, random)) {
    for (int side = 0; side < 2; ++side) {
      outputs[side] = Tensor(on, kWide, {count, kHeads, kDim});
      lses[side] = Tensor(on, VKV_DTYPE_F32, {kHeads, count});
      outputs[side].fill(random);
      lses[side].fill(random);
    }
    output.zero();
    lse.zero();
    params.output = output.view();
    params.output_lse = lse.view();
    params.prefix_output = outputs[0].view();
    params.prefix_lse = lses[0].view();
    params.suffix_output = outputs[1].view();
    params.suffix_lse = lses[1].view();
  }

  vkv_status call(vkv_stream stream) const override { return vkv_merge_attn_states(device.ctx, &params, stream); }

  std::string verify() const override {
    const auto want = reference::merge_attn_states(outputs[0].sample({tokens}), lses[0].sample({{}, tokens}),
                                                   outputs[1].sample({tokens}), lses[1].sample({{}, tokens}),
                                                   static_cast<int64_t>(tokens.size()));
    return tools::first_of(
        {tools::compare_rows("output", output.sample({tokens}), want.output, kDim, tools::tolerance(kWide)),
         tools::compare_numbers("output_lse", lse.sample({{}, tokens}), want.lse, 1e-5)});
  }

  Device device;
  Tensor output, lse, outputs[2], lses[2];  // [0] prefix, [1] suffix
  Pick tokens;
  vkv_merge_attn_states_params params = VKV_INIT(vkv_merge_attn_states_params);
};

}  // namespace

void add_convert_cases(Cases& cases) {
  for (const int64_t tokens : {1, 64, 1024, 4096}) {
    const int64_t one = tokens * kHeads * (kDim * support::element_size(kWide) + 4);
    cases.push_back({"merge_attn_states", "merge_attn_states", "bf16, 32 heads x 128", "T=" + std::to_string(tokens),
                     Limit::copy, 2 * one, one, 3 * one, maker<MergeAttnStates>(tokens)});
  }
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
