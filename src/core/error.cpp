#include "core/error.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace vkv {

namespace {
// A plain array: threads that end leave nothing behind, and remembering allocates nothing.
thread_local char tls_message[sizeof(Error::message)];
}  // namespace

void fail(vkv_status status, const char* format, ...) {
  Error error;
  error.status = status;
  va_list args;
  va_start(args, format);
  std::vsnprintf(error.message, sizeof error.message, format, args);
  va_end(args);
  throw error;
}

void remember(const char* message) noexcept {
  std::strncpy(tls_message, message, sizeof tls_message - 1);
}

void remember(const char* function, const char* what) noexcept {
  std::snprintf(tls_message, sizeof tls_message, "%s: %s", function, what);
}

const char* last_message() noexcept { return tls_message; }

}  // namespace vkv
