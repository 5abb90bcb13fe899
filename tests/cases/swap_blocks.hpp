// Cases of swap_blocks: used by the tests, the benchmark and the support matrix.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "support/array.hpp"

namespace cases {

struct SwapBlocks {
  std::string name;
  vkv_dtype dtype;
  support::Shape block;  // dimensions after the first
  int64_t src_blocks, dst_blocks, pairs;
  int64_t run = 1;                         // pairs that follow each other in both pools
  int64_t src_gap = 0, dst_gap = 0;        // elements between blocks
  int64_t offset = 0;                      // elements by which both bases are shifted
  bool src_on_host = false, dst_on_host = false;
  bool same_pool = false;                  // dst is src; sources are its first half, destinations its second
  bool dst_is_bytes = false;               // dst is u8 with as many bytes a block
  support::Shape mapping_stride = {};
};

inline std::vector<SwapBlocks> swap_blocks() {
  const support::Shape nhd = {2, 16, 4, 24};
  std::vector<SwapBlocks> all;
  const auto with = [](SwapBlocks c, auto change) {
    change(c);
    return c;
  };
  all.push_back({"scattered", VKV_DTYPE_BF16, nhd, 37, 53, 29});
  all.push_back({"runs", VKV_DTYPE_BF16, nhd, 37, 53, 31, 5});
  all.push_back({"one run", VKV_DTYPE_F16, nhd, 70, 70, 64, 64});
  all.push_back({"gaps", VKV_DTYPE_BF16, nhd, 20, 20, 16, 4, 6, 10});
  all.push_back({"gap in src alone", VKV_DTYPE_F32, {3, 5}, 20, 20, 16, 4, 1, 0});
  all.push_back({"misaligned", VKV_DTYPE_U8, {13}, 40, 40, 31, 3, 0, 0, 1});
  all.push_back({"odd bytes", VKV_DTYPE_FP8_E4M3, {7, 3}, 9, 11, 8, 2});
  all.push_back({"ds_mla", VKV_DTYPE_FP8_DS_MLA, {4, 656}, 9, 11, 8, 2});
  all.push_back({"nvfp4", VKV_DTYPE_NVFP4, {16, 2, 36}, 9, 11, 8, 2});
  all.push_back({"i64", VKV_DTYPE_I64, {5}, 9, 11, 8});
  all.push_back({"one element a block", VKV_DTYPE_I32, {}, 90, 110, 80, 7});
  all.push_back({"six dimensions", VKV_DTYPE_BF16, {2, 2, 3, 1, 5}, 9, 9, 6});
  all.push_back(with({"other dtype", VKV_DTYPE_BF16, {16, 8}, 9, 9, 6, 2}, [](auto& c) { c.dst_is_bytes = true; }));
  all.push_back(with({"same pool", VKV_DTYPE_BF16, nhd, 40, 40, 17, 3}, [](auto& c) { c.same_pool = true; }));
  all.push_back(with({"to host", VKV_DTYPE_BF16, nhd, 37, 53, 29, 3}, [](auto& c) { c.dst_on_host = true; }));
  all.push_back(with({"from host", VKV_DTYPE_BF16, nhd, 37, 53, 29, 3}, [](auto& c) { c.src_on_host = true; }));
  // Many pieces, whose ends fall inside blocks and runs.
  all.push_back({"large blocks", VKV_DTYPE_U8, {300007}, 6, 7, 5, 2});
  all.push_back({"many small blocks", VKV_DTYPE_U8, {1009}, 900, 1000, 850, 3});
  all.push_back(with({"columns", VKV_DTYPE_BF16, {8}, 30, 30, 20}, [](auto& c) { c.mapping_stride = {1, 20}; }));
  all.push_back(with({"spaced rows", VKV_DTYPE_BF16, {8}, 30, 30, 20}, [](auto& c) { c.mapping_stride = {7, 3}; }));
  all.push_back({"no pairs", VKV_DTYPE_BF16, nhd, 5, 5, 0});
  all.push_back({"no bytes", VKV_DTYPE_BF16, {4, 0, 3}, 5, 5, 3});
  all.push_back({"no blocks", VKV_DTYPE_BF16, {4}, 0, 0, 0});
  return all;
}

// The tensors of one case, filled, and the params that name them.
struct SwapBlocksProblem {
  support::Array src, other, mapping;  // `other` is dst unless src is both
  bool same_pool;

  SwapBlocksProblem(const support::Device& device, const SwapBlocks& c, support::Random& random)
      : same_pool(c.same_pool) {
    src = pool(c.src_on_host ? support::host() : device, c.dtype, c.src_blocks, c.block, c.src_gap, c.offset);
    src.fill_bits(random);
    if (!same_pool) {
      support::Shape block = c.block;
      if (c.dst_is_bytes) block = {elements(block) * support::element_size(c.dtype)};
      const vkv_dtype dtype = c.dst_is_bytes ? VKV_DTYPE_U8 : c.dtype;
      other = pool(c.dst_on_host ? support::host() : device, dtype, c.dst_blocks, block, c.dst_gap, c.offset);
      other.fill_bits(random);
    }
    mapping = support::Array(support::host(), VKV_DTYPE_I64, {c.pairs, 2}, c.mapping_stride);
    mapping.fill_integers(pairs(c, random));
  }

  support::Array& dst() { return same_pool ? src : other; }

  vkv_swap_blocks_params params() const {
    vkv_swap_blocks_params p = VKV_INIT(vkv_swap_blocks_params);
    p.src = src.view();
    p.dst = same_pool ? src.view() : other.view();
    p.block_mapping = mapping.view();
    return p;
  }

 private:
  static int64_t elements(const support::Shape& shape) {
    int64_t n = 1;
    for (int64_t d : shape) n *= d;
    return n;
  }

  static support::Array pool(const support::Device& device, vkv_dtype dtype, int64_t blocks,
                             const support::Shape& block, int64_t gap, int64_t offset) {
    support::Shape shape{blocks}, stride{elements(block) + gap};
    shape.insert(shape.end(), block.begin(), block.end());
    for (auto d = block.begin(); d != block.end(); ++d) stride.push_back(elements({d + 1, block.end()}));
    return support::Array(device, dtype, shape, stride, offset);
  }

  // Row-major pairs: runs of c.run neighbours, in random order; no block is written twice or read after being written.
  static std::vector<int64_t> pairs(const SwapBlocks& c, support::Random& random) {
    const int64_t half = c.same_pool ? c.src_blocks / 2 : 0;
    const int64_t src_runs = (c.same_pool ? half : c.src_blocks) / c.run, dst_runs = (c.dst_blocks - half) / c.run;
    std::vector<int64_t> order(static_cast<std::size_t>(dst_runs));
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
    for (std::size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[static_cast<std::size_t>(random.integer(0, static_cast<int64_t>(i) - 1))]);
    }
    std::vector<int64_t> rows;
    int64_t from = 0;
    for (int64_t i = 0; i < c.pairs; ++i) {
      if (i % c.run == 0) from = random.integer(0, src_runs - 1) * c.run;
      rows.push_back(from + i % c.run);
      rows.push_back(half + order.at(static_cast<std::size_t>(i / c.run)) * c.run + i % c.run);
    }
    return rows;
  }
};

}  // namespace cases
