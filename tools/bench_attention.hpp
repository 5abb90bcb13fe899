// A benchmark case of attention: what is attended to, and how it lies in the cache.
#pragma once

#include <algorithm>

#include "support/number.hpp"
#include "tools/bench.hpp"

namespace bench {

enum class Packing { nhd, hnd, x_packed };

struct Attend {
  int64_t heads, kv_heads;
  std::vector<int64_t> lengths;
  vkv_dtype dtype = VKV_DTYPE_BF16, cache = VKV_DTYPE_BF16;
  Packing packing = Packing::nhd;
  int64_t query_len = 1;  // of each sequence: its last tokens
  int64_t dim = 128, block_size = 16;

  int64_t batch() const { return static_cast<int64_t>(lengths.size()); }
  int64_t rows() const { return batch() * query_len; }
  int64_t longest() const { return *std::max_element(lengths.begin(), lengths.end()); }
  int64_t blocks_of(int64_t s) const { return (lengths[static_cast<std::size_t>(s)] + block_size - 1) / block_size; }
  int64_t num_blocks() const {
    int64_t n = 0;
    for (int64_t s = 0; s < batch(); ++s) n += blocks_of(s);
    return n;
  }
  int64_t row_elements() const { return cache == VKV_DTYPE_NVFP4 ? dim / 2 + dim / 16 : dim; }
  int64_t token_bytes() const { return 2 * kv_heads * row_elements() * support::element_size(cache); }  // K and V
  // Additions and multiplications of both products, where a row attends to the tokens up to its own.
  double operations() const;
};

enum class EntryPoint { paged_attention, v1, v2 };
Case attention_case(EntryPoint entry, const std::string& chart, const std::string& series, const std::string& size,
                    const Attend& attend);

}  // namespace bench
