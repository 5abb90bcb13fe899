#include "cuda/paged_attention/decode_instances.cuh"

namespace vkv::cuda {

DecodeInstances decode_bf16() { return strided_and_x_packed<KindBF16>(); }

}  // namespace vkv::cuda
