// Where the bytes of a paged cache are. A block holds its keys, then its values; pools in device and host memory are
// [blocks, block_bytes()], so that one swap moves both sides of a block.
#pragma once

#include <cstdint>
#include <string>

#include "tools/content.hpp"

namespace tools {

enum class Layout { nhd, hnd, x };

struct CacheLayout {
  Layout layout;
  vkv_dtype dtype;
  int64_t block_size, kv_heads, head_size;

  int64_t data_bytes() const;   // of the keys, or values, of one head of a token
  int64_t scale_bytes() const;  // of their block scales (nvfp4)
  int64_t side_bytes() const;   // of the keys, or values, of a block
  int64_t block_bytes() const { return 2 * side_bytes(); }

  // Keys or values of a pool of `blocks` blocks at `pool`, as the library is to see them.
  vkv_tensor view(Which which, void* pool, int64_t blocks) const;
  // All bytes of the pool, as swap_blocks is to see them.
  vkv_tensor blocks_view(void* pool, int64_t blocks) const;

  // Offset in a block of byte `byte` of the row of (token, head), and of its block scale `group` (nvfp4).
  int64_t row_offset(Which which, int64_t token, int64_t head, int64_t byte) const;
  int64_t scale_offset(Which which, int64_t token, int64_t head, int64_t group) const;

 private:
  int64_t element_bytes() const;
  int64_t packed_elements() const { return 16 / element_bytes(); }  // x
  int64_t row(int64_t token, int64_t head) const;
  int64_t side(Which which) const { return which == Which::key ? 0 : side_bytes(); }
};

}  // namespace tools
