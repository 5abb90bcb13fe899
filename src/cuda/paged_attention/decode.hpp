// The compiled decode kernels: data for the policy.
#pragma once

#include <atomic>
#include <cstdint>

#include "cuda/primitives/cluster.cuh"
#include "vkv.h"

namespace vkv::cuda {

struct DecodeParams;

struct DecodeInstance {
  static constexpr int kDevices = 16, kLevels = 2;

  vkv_dtype cache;  // of 16-bit caches the query's dtype too
  int32_t dim, row_tiles;  // head dims and 8 query rows each that fit
  bool x_packed;
  void (*kernel)(DecodeParams);
  int32_t tile_tokens, fixed_bytes, stage_bytes;
  int32_t state_floats;                           // of a part in the workspace
  int32_t ctas;                                   // per multiprocessor, as compiled
  int32_t exchange_bytes;                         // of shared memory, for each CTA of its cluster; 0: not in clusters
  std::atomic<int32_t>* allowed;                  // [kDevices]: the device and the bytes of shared memory allowed
  std::atomic<int64_t>* clusters;                 // [kDevices][kLevels]: what was last asked about clusters, and the answer

  // Shared memory of a CTA with `stages` tiles in its rings, in a cluster of 4^levels.
  int32_t shared_bytes(int stages, int levels) const {
    return fixed_bytes + stages * stage_bytes + (levels == 0 ? 0 : kInboxBytes + (exchange_bytes << (2 * levels)));
  }
};

struct DecodeInstances {
  const DecodeInstance* first;
  int count;
  const DecodeInstance* begin() const { return first; }
  const DecodeInstance* end() const { return first + count; }
};

DecodeInstances decode_f16();
DecodeInstances decode_bf16();
DecodeInstances decode_e4m3();
DecodeInstances decode_e5m2();
DecodeInstances decode_nvfp4();

// The one in float32 from one end to the other, for what those above do not serve: any dtypes and layout. Null: too wide.
const DecodeInstance* generic_instance(int64_t head_dim);

}  // namespace vkv::cuda
