// The compiled generic attention kernels: a width each, for every dtype and layout.
#include "cuda/paged_attention/decode.hpp"
#include "cuda/paged_attention/generic.cuh"

namespace vkv::cuda {
namespace {

template <int kDim>
std::atomic<int32_t> generic_allowed[DecodeInstance::kDevices];

template <int kDim>
constexpr DecodeInstance generic() {
  DecodeInstance i = {};
  i.dim = kDim;
  i.row_tiles = 1;
  i.kernel = generic_kernel<kDim>;
  i.tile_tokens = kGenericTokens;
  i.fixed_bytes = static_cast<int32_t>(sizeof(GenericShared<kDim>));
  i.state_floats = Node<kDim, kGenericRows, 32 * kDecodeWarps>::kFloats;
  i.ctas = generic_ctas(kDim);
  i.allowed = generic_allowed<kDim>;
  return i;
}

}  // namespace

// The narrowest that fits; null: none.
const DecodeInstance* generic_instance(int64_t head_dim) {
  static constexpr DecodeInstance kAll[] = {generic<64>(), generic<128>(), generic<256>(), generic<512>()};
  for (const DecodeInstance& i : kAll) {
    if (i.dim >= head_dim) return &i;
  }
  return nullptr;
}

}  // namespace vkv::cuda
