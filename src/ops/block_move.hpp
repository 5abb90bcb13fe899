// The checked problems of vkv_swap_blocks, vkv_swap_blocks_batch and vkv_copy_blocks.
#pragma once

#include "core/tensor.hpp"

namespace vkv {

struct SwapBlocks {
  Tensor src, dst, block_mapping;
  int64_t num_pairs, block_bytes, src_stride_bytes, dst_stride_bytes, num_src_blocks, num_dst_blocks;
  int32_t max_sms;  // 0 = the backend's choice

  // Entry `column` (0 source, 1 destination) of pair i.
  int64_t block(int64_t i, int column) const {
    return block_mapping.as<const int64_t>()[i * block_mapping.stride[0] + column * block_mapping.stride[1]];
  }
  bool empty() const { return num_pairs == 0 || block_bytes == 0; }
};

struct SwapBlocksBatch {
  Tensor src_ptrs, dst_ptrs, sizes;
  int64_t count;
  int32_t max_sms;
  bool source_order_any;

  const char* src(int64_t i) const { return reinterpret_cast<const char*>(at(src_ptrs, i)); }
  char* dst(int64_t i) const { return reinterpret_cast<char*>(at(dst_ptrs, i)); }
  int64_t size(int64_t i) const { return at(sizes, i); }
  bool empty() const { return count == 0; }

 private:
  static int64_t at(const Tensor& t, int64_t i) { return t.as<const int64_t>()[i * t.stride[0]]; }
};

struct CopyBlocks {
  Tensor key_caches, value_caches, block_mapping;
  int64_t num_layers, num_pairs, num_blocks, block_bytes, block_stride_bytes;

  // Caches in one list: all K, then all V.
  int64_t num_caches() const { return value_caches.present() ? 2 * num_layers : num_layers; }
  char* cache(int64_t i) const {
    const Tensor& t = i < num_layers ? key_caches : value_caches;
    return reinterpret_cast<char*>(t.as<const int64_t>()[(i < num_layers ? i : i - num_layers) * t.stride[0]]);
  }
  bool empty() const { return num_layers == 0 || num_pairs == 0 || block_bytes == 0; }
};

}  // namespace vkv
