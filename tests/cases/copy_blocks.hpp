// Cases of copy_blocks: used by the tests, the benchmark and the support matrix.
#pragma once

#include <string>
#include <vector>

#include "support/array.hpp"

namespace cases {

struct CopyBlocks {
  std::string name;
  int64_t layers, num_blocks, block_bytes, pairs;
  bool values = true;                        // false: joint (MLA) caches
  int64_t gap = 0;                           // bytes between blocks
  int64_t offset = 0;                        // bytes by which the bases are shifted
  int64_t run = 1;                           // pairs whose blocks follow each other
  support::Shape mapping_stride = {};
  int64_t list_stride = 1;
};

inline std::vector<CopyBlocks> copy_blocks() {
  return {
      {"one layer", 1, 40, 2048, 15},
      {"many layers", 61, 30, 512, 12},
      {"joint caches", 5, 40, 1152, 15, false},
      {"gaps", 3, 40, 1152, 15, true, 64},
      {"odd bytes", 2, 40, 77, 15, true, 0, 1},
      {"odd gaps", 2, 40, 77, 15, true, 5, 3},
      {"runs", 2, 64, 640, 28, true, 0, 0, 7},
      {"large blocks", 2, 6, 200003, 3},
      {"columns", 2, 40, 96, 15, true, 0, 0, 1, {1, 15}},
      {"spaced rows", 2, 40, 96, 15, true, 0, 0, 1, {5, 2}},
      {"spaced lists", 4, 40, 96, 15, true, 0, 0, 1, {}, 3},
      {"no layers", 0, 40, 96, 15},
      {"no pairs", 2, 40, 96, 0},
      {"no bytes", 2, 40, 0, 15},
  };
}

// The caches, lists and mapping of one case, filled, and the params that name them.
struct CopyBlocksProblem {
  CopyBlocks c;
  std::vector<support::Array> caches;  // all K, then all V
  support::Array key_caches, value_caches, mapping;

  CopyBlocksProblem(const support::Device& device, const CopyBlocks& with, support::Random& random) : c(with) {
    for (int64_t i = 0; i < c.layers * (c.values ? 2 : 1); ++i) {
      caches.emplace_back(device, VKV_DTYPE_U8, support::Shape{c.num_blocks, c.block_bytes},
                          support::Shape{c.block_bytes + c.gap, 1}, c.offset);
      caches.back().fill_bits(random);
    }
    key_caches = list(0);
    if (c.values) value_caches = list(c.layers);
    // Sources lie in the lower half; destinations in the upper half, each once, the highest block first.
    mapping = support::Array(device, VKV_DTYPE_I64, {c.pairs, 2}, c.mapping_stride);
    const int64_t half = c.num_blocks / 2;
    for (int64_t i = 0, from = 0; i < c.pairs; ++i) {
      from = i % c.run == 0 ? random.integer(0, half - c.run) : from + 1;
      mapping.set_bits({i, 0}, static_cast<uint64_t>(from));
      mapping.set_bits({i, 1}, static_cast<uint64_t>(c.num_blocks - (i / c.run + 1) * c.run + i % c.run));
    }
    mapping.upload();
  }

  vkv_copy_blocks_params params() const {
    vkv_copy_blocks_params p = VKV_INIT(vkv_copy_blocks_params);
    p.key_caches = key_caches.view();
    p.value_caches = value_caches.view();
    p.block_mapping = mapping.view();
    p.num_blocks = c.num_blocks;
    p.block_size_in_bytes = c.block_bytes;
    p.block_stride_in_bytes = c.gap == 0 ? 0 : c.block_bytes + c.gap;
    return p;
  }

 private:
  support::Array list(int64_t first) const {
    support::Array addresses(support::host(), VKV_DTYPE_I64, {c.layers}, {c.list_stride});
    for (int64_t i = 0; i < c.layers; ++i) {
      addresses.set_bits(i, reinterpret_cast<uint64_t>(caches[static_cast<std::size_t>(first + i)].view().data));
    }
    addresses.upload();
    return addresses;
  }
};

}  // namespace cases
