// Which operations, dtypes and sizes a device supports: every case that the tests run, asked of vkv_<op>_supported.
#pragma once

#include <string>
#include <vector>

#include "support/device.hpp"

namespace tools {

struct SupportedCase {
  std::string op, name;
  vkv_tensor outside, stored;  // a tensor outside the cache, and the cache or what comes nearest to it
  vkv_status status;
  std::string message;  // why not; empty where supported
};

std::vector<SupportedCase> support_matrix(const support::Device& device);

}  // namespace tools
