#include "cuda/paged_attention/decode_instances.cuh"

namespace vkv::cuda {

DecodeInstances decode_f16() { return strided_and_x_packed<KindF16>(); }

}  // namespace vkv::cuda
