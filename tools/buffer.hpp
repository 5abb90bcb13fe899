// A piece of device or host memory, released with the object.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

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
  void fill(uint8_t byte) {
    const std::vector<uint8_t> piece(std::min<std::size_t>(bytes_, 1 << 20), byte);
    for (std::size_t done = 0; done < bytes_; done += piece.size()) {
      memory().to_device(at(done), piece.data(), std::min(piece.size(), bytes_ - done));
    }
  }
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
