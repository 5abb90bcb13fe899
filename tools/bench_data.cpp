#include "tools/bench_data.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <new>
#include <numeric>
#include <stdexcept>

namespace bench {

const Pattern& pattern(vkv_dtype dtype) {
  static std::map<vkv_dtype, Pattern> made;
  const auto found = made.find(dtype);
  if (found != made.end()) return found->second;
  constexpr int64_t kElements = 1 << 18;
  const int64_t unit = support::element_size(dtype);
  Pattern& all = made[dtype];
  all.unit = unit;
  all.bytes.resize(static_cast<std::size_t>(kElements * unit));
  support::Random random(static_cast<uint64_t>(dtype));
  for (int64_t i = 0; i < kElements; ++i) {
    const uint64_t bits = support::is_integer(dtype) ? random.bits() : support::encode(dtype, random.normal());
    std::memcpy(all.bytes.data() + i * unit, &bits, static_cast<std::size_t>(unit));
  }
  return all;
}

Pick some_of(int64_t n, support::Random& random, int count) {
  Pick all;
  if (n <= count) {
    all.resize(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), int64_t{0});
    return all;
  }
  all = {0, n - 1};
  while (static_cast<int>(all.size()) < count) all.push_back(random.integer(1, n - 2));
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

Tensor::Tensor(const support::Device& device, vkv_dtype dtype, Shape shape, Shape stride)
    : memory_(device.memory), dtype_(dtype), shape_(std::move(shape)), stride_(std::move(stride)) {
  if (stride_.empty()) {
    stride_.assign(shape_.size(), 1);
    for (std::size_t i = shape_.size(); i-- > 1;) stride_[i - 1] = stride_[i] * shape_[i];
  }
  int64_t extent = 1;
  for (std::size_t i = 0; i < shape_.size(); ++i) extent += (shape_[i] - 1) * stride_[i];
  bytes_ = extent * support::element_size(dtype_);
  buffer_.emplace(*memory_, static_cast<std::size_t>(bytes_));
}

vkv_tensor Tensor::view() const {
  vkv_tensor t{};
  if (!buffer_) return t;
  t.data = buffer_->data();
  t.dtype = dtype_;
  t.ndim = static_cast<int32_t>(shape_.size());
  std::copy(shape_.begin(), shape_.end(), t.shape);
  std::copy(stride_.begin(), stride_.end(), t.stride);
  return t;
}

void Tensor::fill(const Pattern& pattern, support::Random& random) {
  // Runs of the pattern from random places: large enough that memcpy sets the speed, small enough that no two rows are
  // alike.
  constexpr int64_t kRun = 16 * 1024, kStage = 4 << 20;
  const int64_t units = static_cast<int64_t>(pattern.bytes.size()) / pattern.unit;
  const int64_t run = std::max<int64_t>(1, std::min(kRun / pattern.unit, units / 2));
  std::vector<uint8_t> stage(
      static_cast<std::size_t>(std::max(kStage / (run * pattern.unit), int64_t{1}) * run * pattern.unit));
  const auto size = static_cast<int64_t>(stage.size());
  for (int64_t at = 0; at < bytes_; at += size) {
    for (int64_t i = 0; i < size && at + i < bytes_; i += run * pattern.unit) {
      const int64_t from = random.integer(0, units - run) * pattern.unit;
      std::memcpy(stage.data() + i, pattern.bytes.data() + from, static_cast<std::size_t>(run * pattern.unit));
    }
    memory_->to_device(buffer_->at(static_cast<std::size_t>(at)), stage.data(),
                       static_cast<std::size_t>(std::min(size, bytes_ - at)));
  }
}

void Tensor::zero() {
  support::Random unused;
  fill({std::vector<uint8_t>(1 << 16), 1}, unused);
}

void Tensor::set_bytes(const void* bytes, std::size_t size) {
  if (static_cast<int64_t>(size) != bytes_)
    throw std::logic_error("a benchmark tensor is set from an array of another size");
  buffer_->upload(bytes, size);
}

void Tensor::set(const std::vector<int32_t>& values) { set_bytes(values.data(), values.size() * sizeof values[0]); }
void Tensor::set(const std::vector<int64_t>& values) { set_bytes(values.data(), values.size() * sizeof values[0]); }
void Tensor::set(const std::vector<float>& values) { set_bytes(values.data(), values.size() * sizeof values[0]); }

support::Array Tensor::sample(const std::vector<Pick>& picks, const Shape& as) const {
  const std::size_t rank = shape_.size();
  Shape shape = shape_;
  for (std::size_t i = 0; i < rank; ++i) {
    if (i < picks.size() && !picks[i].empty()) shape[i] = static_cast<int64_t>(picks[i].size());
  }
  const auto picked = [&](std::size_t axis, int64_t k) {
    return axis < picks.size() && !picks[axis].empty() ? picks[axis][static_cast<std::size_t>(k)] : k;
  };
  support::Array out(sample_device(), dtype_, as.empty() ? shape : as);
  const int64_t element = support::element_size(dtype_), rows = shape[0];
  // One transfer for each position of the first dimension: everything that it spans.
  int64_t extent = 1;
  for (std::size_t i = 1; i < rank; ++i) extent += (shape_[i] - 1) * stride_[i];
  std::vector<uint8_t> row(static_cast<std::size_t>(extent * element));
  const int64_t row_size = rows > 0 ? out.size() / rows : 0;
  for (int64_t r = 0; r < rows; ++r) {
    buffer_->download(row.data(), static_cast<std::size_t>(picked(0, r) * stride_[0] * element), row.size());
    for (int64_t i = 0; i < row_size; ++i) {
      int64_t rest = i, from = 0;
      for (std::size_t axis = rank; axis-- > 1;) {
        from += picked(axis, rest % shape[axis]) * stride_[axis];
        rest /= shape[axis];
      }
      uint64_t bits = 0;
      std::memcpy(&bits, row.data() + from * element, static_cast<std::size_t>(element));
      out.set_bits(r * row_size + i, bits);
    }
  }
  return out;
}

const support::Device& sample_device() {
  static const support::Device host{"host", nullptr, &support::host_memory(), nullptr};
  return host;
}

support::Array zeros(vkv_dtype dtype, const Shape& shape) {
  support::Array all(sample_device(), dtype, shape);
  for (int64_t i = 0; i < all.size(); ++i) all.set_bits(i, 0);
  return all;
}

support::Array integers(vkv_dtype dtype, const std::vector<int64_t>& values) {
  support::Array all(sample_device(), dtype, {static_cast<int64_t>(values.size())});
  all.fill_integers(values);
  return all;
}

Slots::Slots(int64_t tokens, int64_t block_size, bool scattered, support::Random& random) {
  constexpr int64_t kDecode = 128;
  const bool decode = tokens <= kDecode;
  num_blocks = decode ? 2 * tokens : (tokens + block_size - 1) / block_size;
  if (scattered) {
    slots = random.distinct(tokens, num_blocks * block_size);
    return;
  }
  const std::vector<int64_t> blocks = random.distinct(num_blocks, num_blocks);
  for (int64_t n = 0; n < tokens; ++n) {
    const int64_t block = blocks[static_cast<std::size_t>(decode ? n : n / block_size)];
    slots.push_back(block * block_size + (decode ? random.integer(0, block_size - 1) : n % block_size));
  }
}

SlotSample::SlotSample(const std::vector<int64_t>& all, int64_t block_size, support::Random& random) {
  for (const int64_t token : some_of(static_cast<int64_t>(all.size()), random)) {
    blocks.push_back(all[static_cast<std::size_t>(token)] / block_size);
  }
  std::sort(blocks.begin(), blocks.end());
  blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
  std::vector<int64_t> moved;
  for (std::size_t n = 0; n < all.size(); ++n) {
    const auto block = std::lower_bound(blocks.begin(), blocks.end(), all[n] / block_size);
    if (block == blocks.end() || *block != all[n] / block_size) continue;
    tokens.push_back(static_cast<int64_t>(n));
    moved.push_back((block - blocks.begin()) * block_size + all[n] % block_size);
  }
  slots = integers(VKV_DTYPE_I64, moved);
}

}  // namespace bench
