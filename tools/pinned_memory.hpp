// Host memory that a device copies from and to by itself: what an engine swaps blocks to.
#pragma once

#include "support/device.hpp"

namespace tools {

// Page-locked memory for a GPU; plain host memory where the device is the host.
support::Memory& pinned_memory(const support::Device& device);

}  // namespace tools
