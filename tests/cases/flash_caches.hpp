// Strided caches of tests in every layout that one descriptor of strides covers.
#pragma once

#include <algorithm>
#include <vector>

#include "cases/scales.hpp"

namespace cases {

enum class FlashLayout {
  nhd,         // block, token, head
  hnd,         // block, head, token
  one_tensor,  // K and V blocks in turn: [num_blocks, 2, block_size, heads, dim]
  packed,      // K and V of each head side by side: head stride 2 * dim
  apart        // K by tokens, V by heads, each with gaps of its own
};

// K and V as [planes, num_blocks, block_size, heads, row]: two arrays of one plane, or one of two. `row` is the head
// size, or an NVFP4 row's bytes. `offset` elements shift the bases.
inline std::vector<support::Array> flash_caches(const support::Device& device, vkv_dtype dtype, FlashLayout layout,
                                                int64_t num_blocks, int64_t block_size, int64_t heads, int64_t row,
                                                int64_t offset) {
  std::vector<support::Array> caches;
  const int64_t b = block_size, h = std::max<int64_t>(heads, 1), f = std::max<int64_t>(row, 1);
  const auto add = [&](int64_t planes, const support::Shape& strides) {
    caches.emplace_back(device, dtype, support::Shape{planes, num_blocks, b, heads, row}, strides, offset);
  };
  const int64_t gap = dtype == VKV_DTYPE_NVFP4 ? 0 : 3;  // inside a block; NVFP4 has no room for it
  switch (layout) {
    case FlashLayout::nhd:
      for (int i = 0; i < 2; ++i) add(1, {0, b * h * f, h * f, f, 1});
      break;
    case FlashLayout::hnd:
      for (int i = 0; i < 2; ++i) add(1, {0, b * h * f, f, b * f, 1});
      break;
    case FlashLayout::one_tensor: add(2, {b * h * f, 2 * b * h * f, h * f, f, 1}); break;
    case FlashLayout::packed: add(2, {f, 2 * b * h * f, 2 * h * f, 2 * f, 1}); break;
    case FlashLayout::apart:
      add(1, {0, b * h * (f + gap) + 7, h * (f + gap), f + gap, 1});
      add(1, {0, b * h * (f + 2 * gap) + 9, f + 2 * gap, b * (f + 2 * gap), 1});
      break;
  }
  return caches;
}

// Plane `i` of an array's first dimension.
inline vkv_tensor plane(const support::Array& array, int64_t i) {
  vkv_tensor t = array.view();
  t.data = static_cast<char*>(t.data) + i * t.stride[0] * support::element_size(t.dtype);
  --t.ndim;
  std::copy(t.shape + 1, t.shape + VKV_MAX_DIMS, t.shape);
  std::copy(t.stride + 1, t.stride + VKV_MAX_DIMS, t.stride);
  return t;
}

}  // namespace cases
