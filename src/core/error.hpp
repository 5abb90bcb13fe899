// The library's one exception, and guard(): the only place that turns it into a status.
#pragma once

#include <new>

#include "vkv.h"

namespace vkv {

struct Error {
  vkv_status status;
  char message[512];
};

[[noreturn, gnu::format(printf, 2, 3)]] void fail(vkv_status status, const char* format, ...);

// Makes `message` this thread's last error message.
void remember(const char* message) noexcept;
void remember(const char* function, const char* what) noexcept;
const char* last_message() noexcept;

// Runs `body` at the C boundary: whatever it throws becomes a status and this thread's message.
template <class Body>
vkv_status guard(const char* function, Body&& body) noexcept {
  try {
    body();
    return VKV_OK;
  } catch (const Error& error) {
    remember(error.message);
    return error.status;
  } catch (const std::bad_alloc&) {
    remember(function, "out of host memory");
    return VKV_ERROR_OUT_OF_MEMORY;
  } catch (...) {
    remember(function, "internal error");
    return VKV_ERROR_INTERNAL;
  }
}

}  // namespace vkv
