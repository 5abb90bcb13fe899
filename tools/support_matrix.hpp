// Which operations, dtypes and sizes a device supports: every case that the tests run, asked of vkv_<op>_supported.
#pragma once

#include <string>
#include <vector>

#include "support/device.hpp"

namespace tools {

struct SupportedCase {
  std::string op, name;
  vkv_tensor input, stored;  // what the op reads, and the tensor whose format it writes or reads: dtype and shape count
  vkv_status status;
  std::string message;  // why not; empty where supported
};

std::vector<SupportedCase> support_matrix(const support::Device& device);

}  // namespace tools
