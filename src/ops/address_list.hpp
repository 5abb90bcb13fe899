// The check of raw addresses in host memory, as swap_blocks_batch and copy_blocks take them.
#pragma once

#include "ops/block_move.hpp"

namespace vkv {

// Refuses entry i unless it is an address from which `bytes` bytes can follow.
inline void check_address(const Check& check, const char* name, const Tensor& list, int64_t i, int64_t bytes) {
  const int64_t address = host_i64(list, i);
  if (address == 0) check.invalid("%s[%lld] is null", name, static_cast<long long>(i));
  if (address < 0 || address > INT64_MAX - bytes) {
    check.invalid("%s[%lld] is 0x%llx, which is no address of %lld bytes", name, static_cast<long long>(i),
                  static_cast<unsigned long long>(address), static_cast<long long>(bytes));
  }
}

}  // namespace vkv
