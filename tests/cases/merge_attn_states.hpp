// Cases of merge_attn_states: used by the tests, the benchmark and the support matrix.
#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "support/array.hpp"

namespace cases {

// Which input an output is.
enum class InPlace { no, prefix, suffix };

struct MergeAttnStates {
  std::string name;
  vkv_dtype dtype;
  int64_t tokens, heads, dim;
  int64_t without_context = 0;
  double scale = 0;              // not 0: output is e4m3
  bool with_lse = true;
  bool empty_sides = true;       // some sides of some rows are empty, and hold NaN
  int64_t gap = 0;               // elements between heads and tokens, and between the elements of an lse
  int64_t offset = 0;            // elements by which the bases are shifted
  bool transposed = false;       // outputs are views of [heads, tokens, dim], lse of [tokens, heads]
  InPlace output = InPlace::no, lse = InPlace::no;
};

inline std::vector<MergeAttnStates> merge_attn_states() {
  std::vector<MergeAttnStates> all;
  const auto with = [](MergeAttnStates c, auto change) {
    change(c);
    return c;
  };
  const vkv_dtype f16 = VKV_DTYPE_F16, bf16 = VKV_DTYPE_BF16, f32 = VKV_DTYPE_F32;
  for (int64_t heads : {1, 8, 33, 64, 128}) all.push_back({"heads", bf16, 5, heads, 128});
  for (int64_t dim : {1, 3, 32, 48, 80, 96, 127, 192, 256, 512, 577}) all.push_back({"dims", f32, 7, 3, dim});
  for (vkv_dtype dtype : {f16, bf16, f32}) {
    all.push_back({"dtype", dtype, 40, 4, 64});
    all.push_back({"no side empty", dtype, 40, 4, 64, 0, 0, true, false});
    all.push_back({"e4m3", dtype, 40, 4, 64, 0, 0.01});
    all.push_back({"e4m3, odd", dtype, 9, 3, 37, 4, 0.02, true, true, 3, 1});
    all.push_back({"e4m3, saturating", dtype, 9, 3, 64, 4, 0.003});
    all.push_back({"odd and strided", dtype, 9, 3, 37, 0, 0, true, true, 3, 1});
    all.push_back(with({"transposed", dtype, 9, 4, 64, 2}, [](auto& c) { c.transposed = true; }));
  }
  all.push_back({"some tokens without context", f32, 20, 4, 64, 7});
  all.push_back({"no token with context", f32, 20, 4, 64, 20});
  all.push_back({"no lse", f32, 20, 4, 64, 7, 0, false});
  all.push_back({"many rows", bf16, 300, 8, 128, 11});
  for (InPlace output : {InPlace::no, InPlace::prefix, InPlace::suffix}) {
    for (InPlace lse : {InPlace::no, InPlace::prefix, InPlace::suffix}) {
      const auto in_place = [=](auto& c) { c.output = output, c.lse = lse; };
      all.push_back(with({"in place", bf16, 70, 4, 192, 9}, in_place));
      all.push_back(with({"in place, odd", f32, 9, 3, 77, 2, 0, true, true, 3, 1}, in_place));
    }
  }
  all.push_back({"no tokens", bf16, 0, 4, 64});
  all.push_back({"no heads", bf16, 4, 0, 64});
  all.push_back({"no dims", bf16, 4, 4, 0});
  return all;
}

// The tensors of one case, filled, and the params that name them.
struct MergeAttnStatesProblem {
  MergeAttnStates c;
  support::Array prefix_output, suffix_output, prefix_lse, suffix_lse, own_output, own_lse, scale;

  MergeAttnStatesProblem(const support::Device& device, const MergeAttnStates& with, support::Random& random)
      : c(with) {
    for (auto* array : {&prefix_output, &suffix_output}) {
      *array = outputs(device, c.dtype);
      array->fill_normal(random);
    }
    for (auto* array : {&prefix_lse, &suffix_lse}) {
      *array = lses(device);
      array->fill_normal(random, 4.0);
    }
    if (c.output == InPlace::no) {
      own_output = outputs(device, c.scale != 0 ? VKV_DTYPE_FP8_E4M3 : c.dtype);
      own_output.fill_bits(random);
    }
    if (c.with_lse && c.lse == InPlace::no) {
      own_lse = lses(device);
      own_lse.fill_bits(random);
    }
    if (c.scale != 0) {
      scale = support::Array(device, VKV_DTYPE_F32, {1});
      scale.fill({c.scale});
    }
    if (c.empty_sides) empty_some_sides(random);
  }

  support::Array& output() {
    return c.output == InPlace::no ? own_output : c.output == InPlace::prefix ? prefix_output : suffix_output;
  }
  support::Array& lse() { return c.lse == InPlace::no ? own_lse : c.lse == InPlace::prefix ? prefix_lse : suffix_lse; }

  vkv_merge_attn_states_params params() {
    vkv_merge_attn_states_params p = VKV_INIT(vkv_merge_attn_states_params);
    p.output = output().view();
    if (c.with_lse) p.output_lse = lse().view();
    p.prefix_output = prefix_output.view();
    p.prefix_lse = prefix_lse.view();
    p.suffix_output = suffix_output.view();
    p.suffix_lse = suffix_lse.view();
    p.output_scale = scale.view();
    p.num_tokens_without_context = c.without_context;
    return p;
  }

 private:
  support::Array outputs(const support::Device& device, vkv_dtype dtype) const {
    const int64_t head = c.dim + c.gap;
    const support::Shape stride = c.transposed ? support::Shape{head, c.tokens * head + c.gap, 1}
                                               : support::Shape{c.heads * head + c.gap, head, 1};
    return support::Array(device, dtype, {c.tokens, c.heads, c.dim}, stride, c.offset);
  }
  support::Array lses(const support::Device& device) const {
    const int64_t one = 1 + c.gap;
    const support::Shape stride =
        c.transposed ? support::Shape{one, c.heads * one} : support::Shape{c.tokens * one, one};
    return support::Array(device, VKV_DTYPE_F32, {c.heads, c.tokens}, stride, c.offset);
  }

  // A third of the sides are empty, marked by either infinity. What the operation must not look at is NaN: their data,
  // and all of the prefix of tokens without context.
  void empty_some_sides(support::Random& random) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    for (int64_t n = 0; n < c.tokens; ++n) {
      for (int64_t h = 0; h < c.heads; ++h) {
        for (bool prefix : {true, false}) {
          support::Array &data = prefix ? prefix_output : suffix_output, &side = prefix ? prefix_lse : suffix_lse;
          const bool unused = prefix && n >= c.tokens - c.without_context;
          if (!unused && random.integer(0, 2) != 0) continue;
          side.set({h, n}, unused ? kNan : random.integer(0, 1) == 0 ? kInfinity : -kInfinity);
          for (int64_t d = 0; d < c.dim; ++d) data.set({n, h, d}, kNan);
        }
      }
    }
    for (auto* array : {&prefix_output, &suffix_output, &prefix_lse, &suffix_lse}) array->upload();
  }
};

}  // namespace cases
