#include "cuda/paged_attention/decode_instances.cuh"

namespace vkv::cuda {

DecodeInstances decode_e4m3() { return strided_and_x_packed<KindE4M3>(); }

}  // namespace vkv::cuda
