// The CUDA devices of a test run, in builds with CUDA.
#pragma once

#include "support/device.hpp"

namespace support {

// Appends "cuda" and "cuda graph" where a GPU is present; says on stderr, once, that there is none otherwise.
void add_cuda_devices(std::vector<Device>& devices);

}  // namespace support
