// indexer_k_quant_and_cache: 16 lanes quantise one block of quant_block_size dims and write its scale.
#include "cuda/cache_write/rows.hpp"
#include "cuda/launch.hpp"
#include "cuda/ops.hpp"
#include "cuda/policy.hpp"
#include "cuda/primitives/block_scale.cuh"
#include "cuda/primitives/memory.cuh"
#include "cuda/primitives/number.cuh"

namespace vkv::cuda {
namespace {

constexpr int kLanes = 16;

struct Params {
  const char* k;
  int64_t k_token;  // bytes
  char* cache;
  int64_t cache_block, scales_at;  // bytes
  int64_t groups;                  // of all tokens
  int64_t head_dim;
  int64_t quant_block;
  int64_t groups_per_token;
  bool pow2;
  Slots slots;
};

// Grid: any. Block: kThreads, two quant blocks a warp and step. kVector elements are moved at once.
template <class From, int kVector>
__global__ void __launch_bounds__(kThreads) indexer_kernel(const __grid_constant__ Params p) {
  using T = typename From::Storage;
  const int lane = threadIdx.x % kLanes;
  const int64_t step = static_cast<int64_t>(gridDim.x) * (kThreads / kLanes);
  const int64_t start = static_cast<int64_t>(blockIdx.x) * (kThreads / kLanes) + threadIdx.x / kLanes;
  // Both halves of a warp stay in the loop together: the shuffles need every lane.
  for (int64_t group = start; __any_sync(0xFFFFFFFFu, group < p.groups); group += step) {
    const bool live = group < p.groups;
    const int64_t token = live ? group / p.groups_per_token : 0;
    const int64_t column = live ? group % p.groups_per_token : 0;
    const int64_t slot = live ? p.slots.load(token) : -1;
    const char* src = p.k + token * p.k_token + column * p.quant_block * static_cast<int64_t>(sizeof(T));
    Pack<kVector * sizeof(T)> in;
    float amax = 0;
    for (int64_t i = lane * kVector; live && i < p.quant_block; i += kLanes * kVector) {
      in.load(src + i * static_cast<int64_t>(sizeof(T)));
#pragma unroll
      for (int j = 0; j < kVector; ++j) amax = fmaxf(amax, fabsf(From::decode(in.template as<T>()[j])));  // passes over NaN
    }
    amax = group_max<kLanes>(amax);
    const Place place = live ? p.slots.decode(token, slot, lane == 0 && column == 0) : Place{-1, 0};
    if (!place.valid()) continue;

    const float exact = __fdiv_rn(fmaxf(amax, 1e-4f), 448.0f);
    const float scale = p.pow2 ? next_power_of_two(exact) : exact;
    char* block = p.cache + place.block * p.cache_block;
    char* dst = block + place.offset * p.head_dim + column * p.quant_block;
    for (int64_t i = lane * kVector; i < p.quant_block; i += kLanes * kVector) {
      in.load(src + i * static_cast<int64_t>(sizeof(T)));  // in L2, or L1, after the first pass
      Pack<kVector> out;
      quantize<From, E4M3, kVector>(in.template as<T>(), out.template as<uint8_t>(), scale);
      out.store_to(dst + i);
    }
    if (lane == 0) store<4>(block + p.scales_at + (place.offset * p.groups_per_token + column) * 4, __float_as_uint(scale));
  }
}

template <class From>
void launch_indexer(const CudaContext& ctx, const Params& p, bool vectors, vkv_stream stream) {
  launch(ctx, vectors ? indexer_kernel<From, 8> : indexer_kernel<From, 1>, spread(p.groups * kLanes, 1, ctx.num_sms), kThreads,
         0, stream, p);
}

}  // namespace

void run(const Context& context, const IndexerKQuantAndCache& q, vkv_stream stream) {
  const CudaContext& ctx = self(context);
  const int64_t size = element_size(q.k.dtype);
  Params p;
  p.k = q.k.as<const char>();
  p.k_token = q.k.stride[0] * size;
  p.cache = q.kv_cache.as<char>();
  p.cache_block = q.kv_cache.stride[0];
  p.scales_at = q.block_size * q.head_dim;
  p.head_dim = q.head_dim;
  p.quant_block = q.quant_block_size;
  p.groups_per_token = q.head_dim / q.quant_block_size;
  p.groups = q.num_tokens * p.groups_per_token;
  p.pow2 = q.scale_pow2;
  p.slots = make_slots(ctx, q.slot_mapping, q.num_blocks, q.block_size, VKV_OP_INDEXER_K_QUANT_AND_CACHE);
  const bool vectors = q.quant_block_size % 8 == 0 && Alignment().add(q.k, 1).bytes() == 16 &&
                       Alignment().add(q.kv_cache, 1).add(q.head_dim).bytes() >= 8;
  switch (q.k.dtype) {
    case VKV_DTYPE_F16: return launch_indexer<F16>(ctx, p, vectors, stream);
    case VKV_DTYPE_BF16: return launch_indexer<BF16>(ctx, p, vectors, stream);
    default: return launch_indexer<F32>(ctx, p, vectors, stream);
  }
}

}  // namespace vkv::cuda
