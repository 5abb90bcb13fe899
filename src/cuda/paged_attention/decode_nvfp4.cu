#include "cuda/paged_attention/decode_instances.cuh"

namespace vkv::cuda {

DecodeInstances decode_nvfp4() {
  static constexpr DecodeInstance kAll[] = {
      decode_instance<KindNvfp4, 64, 1, false>(),  decode_instance<KindNvfp4, 64, 2, false>(),  decode_instance<KindNvfp4, 128, 1, false>(),
      decode_instance<KindNvfp4, 128, 2, false>(), decode_instance<KindNvfp4, 256, 1, false>(),
  };
  return {kAll, static_cast<int>(sizeof kAll / sizeof *kAll)};
}

}  // namespace vkv::cuda
