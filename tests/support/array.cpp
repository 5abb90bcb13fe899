#include "support/array.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <utility>

namespace support {

namespace {
constexpr int64_t kGuardBytes = 1024;

uint8_t guard_byte(std::size_t i) { return static_cast<uint8_t>(0xC3 ^ (i * 37)); }
}  // namespace

Array::Array(const Device& device, vkv_dtype dtype, Shape shape, Shape stride, int64_t offset)
    : memory_(device.memory), dtype_(dtype), shape_(std::move(shape)), stride_(std::move(stride)) {
  if (stride_.empty()) {
    stride_.assign(shape_.size(), 1);
    for (std::size_t i = shape_.size(); i-- > 1;) stride_[i - 1] = stride_[i] * (shape_[i] > 0 ? shape_[i] : 1);
  }
  int64_t extent = 1;  // elements from the first to the last
  for (std::size_t i = 0; i < shape_.size(); ++i) {
    if (shape_[i] > 1) extent += (shape_[i] - 1) * stride_[i];
  }
  const int64_t element = element_size(dtype_);
  base_ = kGuardBytes + offset * element;
  image_.resize(static_cast<std::size_t>(base_ + (size() > 0 ? extent * element : 0) + kGuardBytes));
  element_.assign(image_.size(), false);
  for (std::size_t i = 0; i < image_.size(); ++i) image_[i] = guard_byte(i);
  const int64_t run = shape_.empty() ? 1 : shape_.back(), step = shape_.empty() ? 0 : stride_.back();
  for (int64_t i = 0; i < size(); i += run) {
    const int64_t first = this->offset(i);
    for (int64_t k = 0; k < run; ++k) {
      std::fill_n(element_.begin() + base_ + (first + k * step) * element, element, true);
    }
  }
  device_ = memory_->allocate(image_.size());
  upload();
}

void Array::release() {
  if (memory_ != nullptr) memory_->release(device_);
  memory_ = nullptr;
}

Array::~Array() { release(); }

Array::Array(Array&& other) noexcept { *this = std::move(other); }

Array& Array::operator=(Array&& other) noexcept {
  release();
  memory_ = std::exchange(other.memory_, nullptr);
  device_ = other.device_;
  dtype_ = other.dtype_;
  shape_ = std::move(other.shape_);
  stride_ = std::move(other.stride_);
  base_ = other.base_;
  image_ = std::move(other.image_);
  element_ = std::move(other.element_);
  return *this;
}

int64_t Array::size() const {
  int64_t n = 1;
  for (int64_t d : shape_) n *= d;
  return n;
}

vkv_tensor Array::view() const {
  vkv_tensor t;
  std::memset(&t, 0, sizeof t);
  if (!present()) return t;
  t.data = static_cast<char*>(device_) + base_;
  t.dtype = dtype_;
  t.ndim = static_cast<int32_t>(shape_.size());
  for (std::size_t i = 0; i < shape_.size(); ++i) {
    t.shape[i] = shape_[i];
    t.stride[i] = stride_[i];
  }
  return t;
}

int64_t Array::position(std::initializer_list<int64_t> index) const {
  int64_t i = 0;
  std::size_t axis = 0;
  if (index.size() != shape_.size()) throw std::logic_error("index of wrong rank");
  for (int64_t k : index) {
    if (k < 0 || k >= shape_[axis]) throw std::logic_error("index out of range");
    i = i * shape_[axis++] + k;
  }
  return i;
}

int64_t Array::offset(int64_t i) const {
  int64_t at = 0;
  for (std::size_t axis = shape_.size(); axis-- > 0;) {
    at += i % shape_[axis] * stride_[axis];
    i /= shape_[axis];
  }
  return at;
}

uint64_t Array::bits(int64_t i) const {
  uint64_t value = 0;
  const int64_t element = element_size(dtype_);
  std::memcpy(&value, base() + offset(i) * element, static_cast<std::size_t>(element));
  return value;
}

uint64_t Array::sign_extended(int64_t i) const {
  const uint64_t value = bits(i);
  return dtype_ == VKV_DTYPE_I32 ? static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(value))) : value;
}

void Array::set_bits(int64_t i, uint64_t value) {
  const int64_t element = element_size(dtype_);
  std::memcpy(base() + offset(i) * element, &value, static_cast<std::size_t>(element));
}

void Array::fill(const std::vector<double>& values) {
  for (int64_t i = 0; i < size(); ++i) set(i, values.at(static_cast<std::size_t>(i)));
  upload();
}

void Array::fill_integers(const std::vector<int64_t>& values) {
  for (int64_t i = 0; i < size(); ++i) set_bits(i, static_cast<uint64_t>(values.at(static_cast<std::size_t>(i))));
  upload();
}

void Array::fill_normal(Random& random, double scale) {
  for (int64_t i = 0; i < size(); ++i) set(i, scale * random.normal());
  upload();
}

void Array::fill_bits(Random& random) {
  for (int64_t i = 0; i < size(); ++i) set_bits(i, random.bits());
  upload();
}

void Array::plant_specials(Random& random) {
  const double infinity = std::numeric_limits<double>::infinity();
  const double values[] = {0, -0.0, std::numeric_limits<double>::quiet_NaN(), infinity, -infinity};
  const uint64_t codes[] = {1, 2, dtype_ == VKV_DTYPE_F16 ? 0x3FFu : dtype_ == VKV_DTYPE_BF16 ? 0x7Fu : 0x7FFFFFu};
  for (int64_t i = 0; i < size(); ++i) {
    if (random.integer(0, 15) != 0) continue;
    const int64_t kind = random.integer(0, 8);
    if (kind < 5) set(i, values[kind]);
    else if (kind < 8) set_bits(i, codes[kind - 5]);
    else set_bits(i, encode(dtype_, infinity) - 1);
    if (random.integer(0, 1) != 0) set(i, -at(i));
  }
  upload();
}

void Array::fill_poison() {
  const bool number = !is_integer(dtype_);
  for (int64_t i = 0; i < size(); ++i) {
    if (number) set(i, std::numeric_limits<double>::quiet_NaN());
    else set_bits(i, 0xABABABABABABABABull);
  }
  upload();
}

void Array::unify_nans(int64_t columns) {
  for (int64_t i = 0; i < size(); ++i) {
    if (i % shape_.back() < columns && std::isnan(at(i))) set(i, std::numeric_limits<double>::quiet_NaN());
  }
}

void Array::upload() { memory_->to_device(device_, image_.data(), image_.size()); }

void Array::download() { memory_->to_host(image_.data(), device_, image_.size()); }

bool Array::intact() const {
  for (std::size_t i = 0; i < image_.size(); ++i) {
    if (!element_[i] && image_[i] != guard_byte(i)) return false;
  }
  return true;
}

}  // namespace support
