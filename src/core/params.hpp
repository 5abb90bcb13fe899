// The import rule for params structs: how callers older and newer than this library are served.
//
// A struct is copied over a zeroed local, so that an older (shorter) one reads as zero in the fields it lacks; a newer
// (longer) one is refused only if it sets a byte that this library does not know.
#pragma once

#include <cstring>

#include "core/error.hpp"

namespace vkv {

template <class Params>
Params import_params(const char* function, const Params* given, uint32_t size_v1, uint32_t known_flags = 0) {
  if (given == nullptr) fail(VKV_ERROR_INVALID_ARGUMENT, "%s: params is null", function);
  const uint32_t size = given->struct_size;
  if (size < size_v1) {
    fail(VKV_ERROR_INVALID_ARGUMENT, "%s: struct_size is %u, expected at least %u (set it to sizeof the struct)", function,
         size, size_v1);
  }
  Params known;
  if (size < sizeof known) std::memset(&known, 0, sizeof known);
  std::memcpy(&known, given, size < sizeof known ? size : sizeof known);
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  for (uint32_t i = sizeof known; i < size; ++i) {
    if (bytes[i] != 0) {
      fail(VKV_ERROR_NOT_SUPPORTED, "%s: params was built against a newer header: byte %u is set, this library knows %zu",
           function, i, sizeof known);
    }
  }
  if ((known.flags & ~known_flags) != 0) {
    fail(VKV_ERROR_NOT_SUPPORTED, "%s: flags is 0x%x, this library knows 0x%x", function, known.flags, known_flags);
  }
  return known;
}

// Output structs: the caller says how much of the struct it has room for, the library writes at most that.
template <class Out>
void export_struct(const char* function, const Out& value, Out* out, uint32_t size_v1) {
  if (out == nullptr) fail(VKV_ERROR_INVALID_ARGUMENT, "%s: output struct is null", function);
  const uint32_t size = out->struct_size;
  if (size < size_v1) {
    fail(VKV_ERROR_INVALID_ARGUMENT, "%s: struct_size is %u, expected at least %u (set it to sizeof the struct)", function,
         size, size_v1);
  }
  if (out->flags != 0) fail(VKV_ERROR_NOT_SUPPORTED, "%s: flags is 0x%x, this library knows none", function, out->flags);
  // The header (struct_size, flags) stays the caller's.
  constexpr size_t kHeader = 2 * sizeof(uint32_t);
  const size_t known = size < sizeof value ? size : sizeof value;
  std::memcpy(reinterpret_cast<char*>(out) + kHeader, reinterpret_cast<const char*>(&value) + kHeader, known - kHeader);
  if (size > sizeof value) std::memset(reinterpret_cast<char*>(out) + sizeof value, 0, size - sizeof value);
}

}  // namespace vkv
