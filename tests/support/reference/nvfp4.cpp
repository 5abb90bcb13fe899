#include "support/reference/nvfp4.hpp"

#include <cmath>

namespace reference {

namespace {

// One group of 16: every step a float32 operation of its own, in the header's order. min(NaN, 448) is 448.
struct Group {
  unsigned codes[16];
  uint8_t scale;
};

Group quantize(const float* x, float scale) {
  volatile float largest = 0;
  for (int i = 0; i < 16; ++i) {
    if (std::fabs(x[i]) > largest) largest = std::fabs(x[i]);
  }
  volatile float sixth = 1.0f / 6.0f;
  volatile float inverse = 1.0f / scale;
  volatile float wanted = largest * sixth;
  wanted = wanted * inverse;
  if (!(wanted < 448.0f)) wanted = 448.0f;
  Group group;
  group.scale = static_cast<uint8_t>(support::encode(VKV_DTYPE_FP8_E4M3, static_cast<double>(wanted)));
  const auto sf = static_cast<float>(support::decode(VKV_DTYPE_FP8_E4M3, group.scale));
  volatile float restored = 1.0f / inverse;
  volatile float divisor = sf * restored;
  volatile float factor = 1.0f / divisor;
  if (sf == 0) factor = 0;
  for (int i = 0; i < 16; ++i) {
    volatile float y = x[i] * factor;
    group.codes[i] = support::encode_e2m1(static_cast<double>(y));
  }
  return group;
}

}  // namespace

Nvfp4Block::Nvfp4Block(const support::Array& cache, bool swizzled_scales)
    : block_size(cache.dim(2)), heads(cache.dim(3)), head_dim(cache.dim(4) * 16 / 9),
      head_major(cache.stride()[2] < cache.stride()[3]), swizzled(swizzled_scales) {}

int64_t Nvfp4Block::data(int64_t token, int64_t head, int64_t element) const {
  const int64_t row = head_major ? head * block_size + token : token * heads + head;
  return row * (head_dim / 2) + element / 2;
}

int64_t Nvfp4Block::scale(int64_t token, int64_t head, int64_t element) const {
  const int64_t per_row = head_dim / 16, group = element / 16;
  int64_t row = token, byte = group;
  if (swizzled) {
    row = 4 * (token / 4) + group / (per_row / 4);
    byte = 4 * (group % (per_row / 4)) + token % 4;
  }
  return block_size * heads * (head_dim / 2) + (head_major ? head * block_size + row : row * heads + head) * per_row +
         byte;
}

void nvfp4_write(const float* x, float scale, const Nvfp4Block& layout, int64_t token, int64_t head, uint8_t* block) {
  for (int64_t first = 0; first < layout.head_dim; first += 16) {
    const Group group = quantize(x + first, scale);
    block[layout.scale(token, head, first)] = group.scale;
    for (int64_t i = 0; i < 16; i += 2) {
      block[layout.data(token, head, first + i)] = static_cast<uint8_t>(group.codes[i] | group.codes[i + 1] << 4);
    }
  }
}

double nvfp4_read(const uint8_t* block, float scale, const Nvfp4Block& layout, int64_t token, int64_t head,
                  int64_t element) {
  const unsigned byte = block[layout.data(token, head, element)];
  const unsigned code = element % 2 == 0 ? byte & 15 : byte >> 4;
  const double sf = support::decode(VKV_DTYPE_FP8_E4M3, block[layout.scale(token, head, element)]);
  return support::decode_e2m1(code) * sf * static_cast<double>(scale);
}

}  // namespace reference
