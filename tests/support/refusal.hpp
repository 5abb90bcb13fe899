// A refused call, in one line: its status, and a sentence that must contain the words given.
#pragma once

#include <string>

#include "support/catch.hpp"
#include "vkv.h"

#define VKV_CHECK_OK(call)                                          \
  do {                                                              \
    const vkv_status vkv_got = (call);                              \
    INFO("message: " << vkv_last_error_message());                  \
    CHECK(vkv_got == VKV_OK);                                       \
  } while (false)

#define VKV_CHECK_REFUSED(call, status, words)                                             \
  do {                                                                                     \
    const vkv_status vkv_got = (call);                                                     \
    const std::string vkv_message = vkv_last_error_message();                              \
    INFO("message: " << vkv_message);                                                      \
    CHECK(vkv_got == (status));                                                            \
    CHECK(vkv_message.find(words) != std::string::npos);                                   \
  } while (false)
