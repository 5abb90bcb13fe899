// Whether to run fewer cases: under a checker that slows kernels down a hundredfold, as scripts/gpu-test does.
#pragma once

#include <cstdlib>

namespace support {

inline bool reduced() { return std::getenv("VKV_TEST_REDUCED") != nullptr; }

}  // namespace support
