// cp_gather_indexer_k_quant_cache: the two parts of a token in a segregated block, keys and scales, copied as they are.
#include "cuda/cache_gather/gather.cuh"
#include "cuda/ops.hpp"
#include "cuda/primitives/memory.cuh"

namespace vkv::cuda {
namespace {

// Units are those of the key; the scales of a row are its lane's aside.
template <int kBytes>
struct Segregated {
  Rows rows;
  const char* src;
  int64_t block_bytes, scales_at;  // from one block to the next, and from a block to its scales
  int64_t head_dim, scales;
  char* keys;
  float* row_scales;
  int64_t keys_row, scales_row;

  static constexpr int kIn = kBytes, kOut = kBytes;
  using Unit = Pack<kBytes>;
  __device__ const char* entry(Source at) const { return src + at.block * block_bytes + at.offset * head_dim; }
  __device__ char* row(int64_t i) const { return keys + i * keys_row; }
  __device__ Unit load(const char* entry, uint32_t unit) const {
    Unit value;
    value.load(entry + static_cast<int64_t>(unit) * kBytes);
    return value;
  }
  __device__ void store(char* row, uint32_t unit, const Unit& value) const {
    value.store_to(row + static_cast<int64_t>(unit) * kBytes);
  }

  // The first scale is loaded before the key is stored; most rows have no other.
  using Aside = float;
  __device__ const float* entry_scales(Source at) const {
    return reinterpret_cast<const float*>(src + at.block * block_bytes + scales_at) + at.offset * scales;
  }
  __device__ float load_aside(Source at) const { return at.block >= 0 && scales > 0 ? __ldcs(entry_scales(at)) : 0.0f; }
  __device__ void store_aside(int64_t row, Source at, float first) const {
    float* to = row_scales + row * scales_row;
    for (int64_t i = 0; i < scales; ++i) {
      to[i] = i == 0 ? first : at.block >= 0 ? entry_scales(at)[i] : 0.0f;
    }
  }
};

template <int kBytes>
void gather(const CudaContext& ctx, const CpGatherIndexerKQuantCache& q, vkv_stream stream) {
  if (q.head_dim == 0) return;
  const Ragged ragged = make_ragged(ctx, VKV_OP_CP_GATHER_INDEXER_K_QUANT_CACHE, q, q.dst_k, q.cu_seq_lens, q.batch + 1, Tensor{});
  Segregated<kBytes> mover;
  mover.src = q.kv_cache.as<const char>();
  mover.block_bytes = q.kv_cache.stride[0];
  mover.scales_at = q.block_size * q.head_dim;
  mover.head_dim = q.head_dim;
  mover.scales = q.scales_per_row;
  mover.keys = q.dst_k.as<char>();
  mover.row_scales = q.dst_scale.as<float>();
  mover.keys_row = q.dst_k.stride[0];
  mover.scales_row = q.dst_scale.stride[0];
  mover.rows = deal_rows(ctx, ragged, q.num_rows, q.head_dim / kBytes);
  launch_gather(ctx, mover, stream);
}

}  // namespace

void run(const Context& context, const CpGatherIndexerKQuantCache& q, vkv_stream stream) {
  const CudaContext& ctx = self(context);
  switch (Alignment().add(q.kv_cache, 1).add(q.dst_k, 1).add(q.head_dim).bytes()) {
    case 16: return gather<16>(ctx, q, stream);
    case 8: return gather<8>(ctx, q, stream);
    case 4: return gather<4>(ctx, q, stream);
    case 2: return gather<2>(ctx, q, stream);
    default: return gather<1>(ctx, q, stream);
  }
}

}  // namespace vkv::cuda
