// The free blocks of a cache. Blocks come back in any order and are handed out last in, first out, so that a sequence's
// blocks soon lie scattered, as in an engine.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <vector>

namespace tools {

class BlockPool {
 public:
  explicit BlockPool(int64_t blocks) : taken_(static_cast<std::size_t>(blocks), false) {
    for (int64_t block = blocks; block-- > 0;) free_.push_back(static_cast<int32_t>(block));
  }

  int64_t size() const { return static_cast<int64_t>(taken_.size()); }
  int64_t available() const { return static_cast<int64_t>(free_.size()); }

  int32_t take() {
    if (free_.empty()) throw std::logic_error("block pool: no block left");
    const int32_t block = free_.back();
    free_.pop_back();
    taken_[static_cast<std::size_t>(block)] = true;
    return block;
  }

  void give_back(int32_t block) {
    if (!taken_.at(static_cast<std::size_t>(block))) throw std::logic_error("block pool: a free block was given back");
    taken_[static_cast<std::size_t>(block)] = false;
    free_.push_back(block);
  }

  // Gives back all of `blocks` and leaves it empty.
  void give_back_all(std::vector<int32_t>& blocks) {
    for (int32_t block : blocks) give_back(block);
    blocks.clear();
  }

 private:
  std::vector<int32_t> free_;
  std::vector<bool> taken_;
};

}  // namespace tools
