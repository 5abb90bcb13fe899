#pragma once

#include "support/array.hpp"

namespace reference {

// An NVFP4 block of one side, as the header lays it out: byte offsets from the block's first byte.
struct Nvfp4Block {
  int64_t block_size, heads, head_dim;
  bool head_major, swizzled;

  // Of a cache [planes, num_blocks, block_size, heads, bytes].
  Nvfp4Block(const support::Array& cache, bool swizzled_scales);

  int64_t data(int64_t token, int64_t head, int64_t element) const;   // the byte that holds the element
  int64_t scale(int64_t token, int64_t head, int64_t element) const;  // the scale byte of the element's group
};

// Writes one head of a token, elements [0, head_dim) at x, into the block at `block`.
void nvfp4_write(const float* x, float scale, const Nvfp4Block& layout, int64_t token, int64_t head, uint8_t* block);

// The number stored for an element.
double nvfp4_read(const uint8_t* block, float scale, const Nvfp4Block& layout, int64_t token, int64_t head,
                  int64_t element);

}  // namespace reference
