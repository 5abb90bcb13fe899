#include "support/cuda_device.hpp"

namespace support {

void add_cuda_devices(std::vector<Device>&) {}

}  // namespace support
