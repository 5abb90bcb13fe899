// Tensors of a benchmark: device memory without a host image, filled at the speed of memcpy, of which small parts can
// be brought back for verification.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "support/array.hpp"
#include "tools/buffer.hpp"
#include "tools/compare.hpp"

namespace bench {

using support::Shape;
using tools::compare_bits;

// Bytes that stand for plausible content: units (an element, or a whole cache entry or block) that may be put together
// in any order.
struct Pattern {
  std::vector<uint8_t> bytes;
  int64_t unit;
};
// Normal numbers of a float format, random bytes of any other.
const Pattern& pattern(vkv_dtype dtype);

// Positions along one dimension; empty = all.
using Pick = std::vector<int64_t>;
// A few positions of [0, n): both ends, and some between.
Pick some_of(int64_t n, support::Random& random, int count = 5);

class Tensor {
 public:
  Tensor() = default;  // absent
  // Strides in elements; empty = row-major compact.
  Tensor(const support::Device& device, vkv_dtype dtype, Shape shape, Shape stride = {});

  vkv_tensor view() const;
  int64_t bytes() const { return bytes_; }  // gaps between strides included
  int64_t dim(int i) const { return shape_[static_cast<std::size_t>(i)]; }

  void fill(const Pattern& pattern, support::Random& random);
  void fill(support::Random& random) { fill(pattern(dtype_), random); }
  void zero();
  void set(const std::vector<int32_t>& values);
  void set(const std::vector<int64_t>& values);
  void set(const std::vector<float>& values);

  // The picked part as a compact array on the host, for the reference; of another shape if given.
  support::Array sample(const std::vector<Pick>& picks, const Shape& as = {}) const;

 private:
  void set_bytes(const void* bytes, std::size_t size);

  support::Memory* memory_ = nullptr;
  std::optional<tools::Buffer> buffer_;
  vkv_dtype dtype_ = 0;
  Shape shape_, stride_;
  int64_t bytes_ = 0;
};

// Arrays on the host for references and samples.
const support::Device& sample_device();
support::Array zeros(vkv_dtype dtype, const Shape& shape);
support::Array integers(vkv_dtype dtype, const std::vector<int64_t>& values);

// Where a writer's tokens go. Up to 128 tokens are a decode step: each in a block of its own. More are prefill: they
// fill blocks that lie in random order, or, if `scattered`, slots in random order.
struct Slots {
  Slots(int64_t tokens, int64_t block_size, bool scattered, support::Random& random);
  int64_t num_blocks;
  std::vector<int64_t> slots;
};

// A few blocks of a written cache with all the tokens that went into them: a small problem for the reference.
struct SlotSample {
  SlotSample(const std::vector<int64_t>& slots, int64_t block_size, support::Random& random);
  Pick blocks, tokens;
  support::Array slots;  // of `tokens`, in a cache of `blocks` alone
};

}  // namespace bench
