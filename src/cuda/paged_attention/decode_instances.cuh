// The instances of one cache dtype. Widths cover head sizes by padding; row tiles cover what a decode or a speculative step
// has: longer queries take several CTAs.
#pragma once

#include "cuda/paged_attention/decode.cuh"
#include "cuda/paged_attention/decode.hpp"

namespace vkv::cuda {

template <class Kind, int kDim, int kRowTiles, bool kXPacked>
inline std::atomic<int32_t> decode_allowed[DecodeInstance::kDevices];
template <class Kind, int kDim, int kRowTiles, bool kXPacked>
inline std::atomic<int64_t> decode_clusters[DecodeInstance::kDevices * DecodeInstance::kLevels];

template <class Kind, int kDim, int kRowTiles, bool kXPacked>
constexpr DecodeInstance decode_instance() {
  using Shared = DecodeShared<Kind, kDim, kRowTiles>;
  return {Kind::dtype,
          kDim,
          kRowTiles,
          kXPacked,
          decode_kernel<Kind, kDim, kRowTiles, kXPacked>,
          Kind::tile_tokens,
          Shared::bytes(0),
          Shared::bytes(1) - Shared::bytes(0),
          Node<kDim, 8 * kRowTiles, 32 * kDecodeWarps>::kFloats,
          decode_ctas(kDim, kRowTiles),
          Shared::Parts::kSlotBytes,
          decode_allowed<Kind, kDim, kRowTiles, kXPacked>,
          decode_clusters<Kind, kDim, kRowTiles, kXPacked>};
}

template <class Kind>
DecodeInstances strided_and_x_packed() {
  static constexpr DecodeInstance kAll[] = {
      decode_instance<Kind, 64, 1, false>(),  decode_instance<Kind, 64, 2, false>(),  decode_instance<Kind, 128, 1, false>(),
      decode_instance<Kind, 128, 2, false>(),
      decode_instance<Kind, 256, 1, false>(), decode_instance<Kind, 64, 2, true>(),   decode_instance<Kind, 128, 1, true>(),
      decode_instance<Kind, 256, 1, true>(),
  };
  return {kAll, static_cast<int>(sizeof kAll / sizeof *kAll)};
}

}  // namespace vkv::cuda
