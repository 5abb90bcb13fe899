// What the keys, values and queries of a replay are, and what a cache holds of them.
//
// Every element is a function of (seed, which, request, token, element): a counter-based hash picks one of 4096 numbers
// drawn from a normal distribution. So nothing is stored to verify a result, and conversion is a table: each of the
// 4096 numbers is rounded once to the input's dtype, and for each head once to what a cache returns for it, all through
// support::encode and support::decode, in float64 where the library's text does not name float32.
#pragma once

#include <cstdint>
#include <vector>

#include "vkv.h"

namespace tools {

enum class Which : uint64_t { key, value, query };

struct ContentShape {
  vkv_dtype input, cache;  // f16|bf16|f32; the same, e4m3, e5m2 or nvfp4
  int64_t heads, kv_heads, head_size;
};

class Content {
 public:
  Content(const ContentShape& shape, uint64_t seed);

  const ContentShape& shape() const { return shape_; }
  // Dequantisation multipliers, one a KV head (one in all for nvfp4); empty where bits are copied.
  const std::vector<float>& scales(Which which) const { return which == Which::key ? k_scales_ : v_scales_; }

  // Input elements of a token, all heads: written to memory, and as numbers.
  void write(Which which, int64_t request, int64_t token, void* to) const;
  void query_values(int64_t request, int64_t token, double* to) const;

  // Keys or values of a token as a cache of shape().cache returns them, exactly: [kv_heads, head_size].
  void cached_values(Which which, int64_t request, int64_t token, double* to) const;
  // Their bytes: [kv_heads, head_size] elements (nvfp4: half bytes), and for nvfp4 [kv_heads, head_size / 16] scale
  // bytes.
  void cached_bytes(Which which, int64_t request, int64_t token, uint8_t* rows, uint8_t* scales) const;

 private:
  // Calls to(element, code) for each element of a token, code in [0, 4096).
  template <class To>
  void codes(Which which, int64_t request, int64_t token, int64_t elements, To&& to) const;
  template <class Bits>
  void write_as(Which which, int64_t request, int64_t token, int64_t elements, Bits* to) const;
  template <class Group>
  void nvfp4_groups(Which which, int64_t request, int64_t token, Group&& group) const;
  int64_t scale_index(Which which, int64_t head) const;

  ContentShape shape_;
  uint64_t seed_;
  std::vector<float> k_scales_, v_scales_;
  std::vector<uint32_t> input_bits_;                     // of each code
  std::vector<double> input_values_;                     // of each code
  std::vector<uint32_t> k_cached_bits_, v_cached_bits_;  // [head's scale][code]; not for nvfp4
  std::vector<double> k_cached_values_, v_cached_values_;
};

}  // namespace tools
