// The checked problems of vkv_swap_blocks, vkv_swap_blocks_batch and vkv_copy_blocks.
#pragma once

#include "core/tensor.hpp"

namespace vkv {

// Number i of a list in host memory.
inline int64_t host_i64(const Tensor& list, int64_t i) { return list.as<const int64_t>()[i * list.stride[0]]; }

// Entry `column` (0 source, 1 destination) of a row of block_mapping.
inline int64_t mapped_block(const Tensor& mapping, int64_t pair, int column) {
  return mapping.as<const int64_t>()[pair * mapping.stride[0] + column * mapping.stride[1]];
}

struct SwapBlocks {
  Tensor src, dst, block_mapping;
  int64_t num_pairs, block_bytes, src_stride_bytes, dst_stride_bytes, num_src_blocks, num_dst_blocks;
  int32_t max_sms;  // 0 = the backend's choice

  int64_t block(int64_t pair, int column) const { return mapped_block(block_mapping, pair, column); }
  bool empty() const { return num_pairs == 0 || block_bytes == 0; }
};

struct SwapBlocksBatch {
  Tensor src_ptrs, dst_ptrs, sizes;
  int64_t count;
  int32_t max_sms;
  bool source_order_any;

  const char* src(int64_t i) const { return reinterpret_cast<const char*>(host_i64(src_ptrs, i)); }
  char* dst(int64_t i) const { return reinterpret_cast<char*>(host_i64(dst_ptrs, i)); }
  int64_t size(int64_t i) const { return host_i64(sizes, i); }
  bool empty() const { return count == 0; }
};

struct CopyBlocks {
  Tensor key_caches, value_caches, block_mapping;
  int64_t num_layers, num_pairs, num_blocks, block_bytes, block_stride_bytes;

  // Caches in one list: all K, then all V.
  int64_t num_caches() const { return value_caches.present() ? 2 * num_layers : num_layers; }
  char* cache(int64_t i) const {
    return reinterpret_cast<char*>(i < num_layers ? host_i64(key_caches, i) : host_i64(value_caches, i - num_layers));
  }
  int64_t block(int64_t pair, int column) const { return mapped_block(block_mapping, pair, column); }  // device memory
  bool empty() const { return num_layers == 0 || num_pairs == 0 || block_bytes == 0; }
};

}  // namespace vkv
