// Cases of swap_blocks_batch: used by the tests, the benchmark and the support matrix.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "support/array.hpp"

namespace cases {

struct SwapBlocksBatch {
  std::string name;
  int64_t copies;
  int64_t least, most;   // bytes a copy, drawn at random
  int64_t run = 1;       // copies that follow each other in both memories
  int64_t list_stride = 1;
  uint32_t flags = 0;
  bool src_on_host = false, dst_on_host = false;
};

inline std::vector<SwapBlocksBatch> swap_blocks_batch() {
  return {
      {"blocks", 60, 4096, 4096},
      {"any sizes", 200, 0, 3000},
      {"bytes", 300, 0, 3},
      {"runs", 200, 0, 3000, 6},
      {"one run", 300, 1, 5000, 300},
      {"one copy", 1, 700001, 700001},
      {"large copies", 6, 1, 600000, 2},
      {"nothing to copy", 9, 0, 0},
      {"no copies", 0, 0, 0},
      {"spaced lists", 50, 0, 900, 1, 3},
      {"any source order", 50, 0, 900, 1, 1, VKV_SWAP_SOURCE_ORDER_ANY},
      {"to host", 60, 2048, 4096, 1, 1, 0, false, true},
      {"from host", 60, 2048, 4096, 1, 1, 0, true, false},
  };
}

// The memories and lists of one case, filled, and the params that name them. No byte of dst is written twice.
struct SwapBlocksBatchProblem {
  support::Array src, dst, src_ptrs, dst_ptrs, sizes;
  uint32_t flags;

  SwapBlocksBatchProblem(const support::Device& device, const SwapBlocksBatch& c, support::Random& random)
      : flags(c.flags) {
    const auto n = static_cast<std::size_t>(c.copies);
    std::vector<int64_t> bytes(n), from(n), to(n);
    int64_t total = 0;
    for (int64_t& b : bytes) total += b = random.integer(c.least, c.most);
    for (std::size_t i = 0; i < n; ++i) {
      const bool follows = i % static_cast<std::size_t>(c.run) != 0;
      from[i] = follows ? from[i - 1] + bytes[i - 1] : random.integer(0, total);
      to[i] = i == 0 ? random.integer(0, 9) : to[i - 1] + bytes[i - 1] + (follows ? 0 : random.integer(0, 9));
    }
    // Destinations lie in the order of the list; shuffling the runs would only repeat what random sources test.
    src = support::Array(c.src_on_host ? support::host() : device, VKV_DTYPE_U8, {2 * total + 1});
    dst = support::Array(c.dst_on_host ? support::host() : device, VKV_DTYPE_U8, {total + 10 * c.copies + 10});
    src.fill_bits(random);
    dst.fill_bits(random);
    for (auto* list : {&src_ptrs, &dst_ptrs, &sizes}) {
      *list = support::Array(support::host(), VKV_DTYPE_I64, {c.copies}, {c.list_stride});
    }
    sizes.fill_integers(bytes);
    src_ptrs.fill_integers(addresses(src, from, bytes));
    dst_ptrs.fill_integers(addresses(dst, to, bytes));
  }

  vkv_swap_blocks_batch_params params() const {
    vkv_swap_blocks_batch_params p = VKV_INIT(vkv_swap_blocks_batch_params);
    p.flags = flags;
    p.src_ptrs = src_ptrs.view();
    p.dst_ptrs = dst_ptrs.view();
    p.sizes = sizes.view();
    return p;
  }

 private:
  // Nothing is copied from or to null.
  static std::vector<int64_t> addresses(const support::Array& memory, std::vector<int64_t> offsets,
                                        const std::vector<int64_t>& bytes) {
    const auto base = reinterpret_cast<int64_t>(memory.view().data);
    for (std::size_t i = 0; i < offsets.size(); ++i) offsets[i] = bytes[i] == 0 ? 0 : base + offsets[i];
    return offsets;
  }
};

}  // namespace cases
