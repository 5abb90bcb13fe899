// Every op as one row of bytes and functions: what the struct-size, fault and null-row tests loop over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "vkv.h"

namespace abi {

using Bytes = std::vector<unsigned char>;  // a params struct; its allocation is exactly as long as the struct

struct Op {
  std::string name;  // "vkv_concat_mla_q"
  uint32_t size_v1;  // of the struct in libvkv 1.0, for ever
  uint32_t flags;    // bits that this library knows
  Bytes example;     // a small valid problem of non-zero size, on memory of its own
  std::function<vkv_status(const vkv_context*, const void*)> run, supported;
  std::function<vkv_status(const vkv_context*, const void*, size_t*)> workspace_size;  // empty where the op has none

  uint32_t size() const { return static_cast<uint32_t>(example.size()); }
  // Offsets of the struct's tensors.
  std::vector<std::size_t> tensors() const;
};

const std::vector<Op>& ops();

}  // namespace abi
