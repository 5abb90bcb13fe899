#include "cuda/paged_attention/decode_instances.cuh"

namespace vkv::cuda {

DecodeInstances decode_e5m2() { return strided_and_x_packed<KindE5M2>(); }

}  // namespace vkv::cuda
