// Scale tensors of tests.
#pragma once

#include "support/array.hpp"

namespace cases {

enum class Scales { absent, one, per_head };

// A scale tensor with positive values, different for each call.
inline support::Array random_scale(const support::Device& device, Scales scales, int64_t heads, support::Random& random,
                                   double low = 0.005, double high = 0.05) {
  if (scales == Scales::absent || (scales == Scales::per_head && heads == 0)) return {};
  support::Array scale(device, VKV_DTYPE_F32, {scales == Scales::one ? 1 : heads});
  for (int64_t i = 0; i < scale.size(); ++i) scale.set(i, random.uniform(low, high));
  scale.upload();
  return scale;
}

}  // namespace cases
