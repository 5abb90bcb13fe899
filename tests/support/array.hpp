// A tensor of a test: a host image with guard zones and random gaps, and its copy in device memory.
//
// Elements are read and written in the host image; upload() and download() move the whole image. Bytes that are no element
// (guard zones before and after, gaps between strides) hold a pattern that intact() checks.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "support/device.hpp"
#include "support/number.hpp"
#include "support/random.hpp"

namespace support {

using Shape = std::vector<int64_t>;

class Array {
 public:
  Array() = default;  // absent
  // Strides in elements; empty = row-major compact. `offset` elements shift the base, to break alignment.
  Array(const Device& device, vkv_dtype dtype, Shape shape, Shape stride = {}, int64_t offset = 0);
  ~Array();
  Array(Array&& other) noexcept;
  Array& operator=(Array&& other) noexcept;

  bool present() const { return memory_ != nullptr; }
  vkv_dtype dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  const Shape& stride() const { return stride_; }
  int64_t dim(int i) const { return shape_[static_cast<std::size_t>(i)]; }
  int64_t size() const;  // elements

  // What the library is given. Absent arrays give an absent tensor.
  vkv_tensor view() const;

  // Elements of the host image, by index or by row-major position.
  double at(std::initializer_list<int64_t> index) const { return decode(dtype_, bits(position(index))); }
  void set(std::initializer_list<int64_t> index, double value) { set_bits(position(index), encode(dtype_, value)); }
  double at(int64_t i) const { return decode(dtype_, bits(i)); }
  void set(int64_t i, double value) { set_bits(i, encode(dtype_, value)); }
  int64_t integer(std::initializer_list<int64_t> index) const { return static_cast<int64_t>(sign_extended(position(index))); }
  int64_t integer(int64_t i) const { return static_cast<int64_t>(sign_extended(i)); }
  uint64_t bits(int64_t i) const;
  uint64_t bits(std::initializer_list<int64_t> index) const { return bits(position(index)); }
  void set_bits(int64_t i, uint64_t bits);
  void set_bits(std::initializer_list<int64_t> index, uint64_t bits) { set_bits(position(index), bits); }
  int64_t position(std::initializer_list<int64_t> index) const;  // row-major position of an index
  int64_t offset(int64_t i) const;                               // in elements from the base, by strides

  // Bytes of the host image from element offset 0, for formats that are bytes.
  uint8_t* base() { return image_.data() + base_; }
  const uint8_t* base() const { return image_.data() + base_; }
  // All bytes of the host image, guards included, to compare two states.
  const std::vector<uint8_t>& image() const { return image_; }

  void fill(const std::vector<double>& values);                  // row-major
  void fill_integers(const std::vector<int64_t>& values);
  void fill_normal(Random& random, double scale = 1.0);          // floats only
  void fill_bits(Random& random);                                // any bits, NaN and infinity included
  // At about one element in 16: zeros, NaN, infinities, subnormals and largest values, of either sign. Floats only.
  void plant_specials(Random& random);
  void fill_poison();                                            // a NaN in float formats, 0xAB bytes in others

  // Makes every NaN of the host image the same one, in the first `columns` of the last dimension: which NaN arithmetic
  // gives is the machine's choice.
  void unify_nans(int64_t columns);

  void upload();
  void download();
  // Guard zones and gaps are as they were made.
  bool intact() const;

 private:
  uint64_t sign_extended(int64_t i) const;
  void release();

  Memory* memory_ = nullptr;
  void* device_ = nullptr;  // start of the image in device memory
  vkv_dtype dtype_ = 0;
  Shape shape_, stride_;
  int64_t base_ = 0;  // bytes from the image's start to element 0
  std::vector<uint8_t> image_;
  std::vector<bool> element_;  // which bytes of the image belong to elements
};

}  // namespace support
