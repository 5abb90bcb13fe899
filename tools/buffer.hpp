// A piece of device or host memory, released with the object.
#pragma once

#include <cstddef>
#include <memory>

#include "support/device.hpp"

namespace tools {

class Buffer {
 public:
  Buffer(support::Memory& memory, std::size_t bytes)
      : bytes_(bytes), data_(memory.allocate(bytes > 0 ? bytes : 1), Release{&memory}) {}

  std::size_t bytes() const { return bytes_; }
  void* data() const { return data_.get(); }
  char* at(std::size_t offset) const { return static_cast<char*>(data()) + offset; }
  void upload(const void* from, std::size_t bytes) { memory().to_device(data(), from, bytes); }
  void download(void* to, std::size_t offset, std::size_t bytes) const { memory().to_host(to, at(offset), bytes); }

 private:
  struct Release {
    support::Memory* memory;
    void operator()(void* pointer) const { memory->release(pointer); }
  };
  support::Memory& memory() const { return *data_.get_deleter().memory; }

  std::size_t bytes_;
  std::unique_ptr<void, Release> data_;
};

}  // namespace tools
