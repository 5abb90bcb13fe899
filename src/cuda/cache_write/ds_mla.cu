// fp8_ds_mla writer: one warp writes one token's 656-byte entry. A lane holds 16 latent elements, 8 lanes a tile of 128 with
// one scale; the rope elements are copied.
#include <cfloat>

#include "cuda/cache_write/ds_mla.hpp"
#include "cuda/cache_write/rows.hpp"
#include "cuda/launch.hpp"
#include "cuda/policy.hpp"
#include "cuda/primitives/block_scale.cuh"
#include "cuda/primitives/memory.cuh"
#include "cuda/primitives/number.cuh"

namespace vkv::cuda {
namespace {

constexpr int kPerLane = 16;
constexpr int kRopePerLane = 2;
constexpr int kLanesPerTile = DsMlaEntry::kTile / kPerLane;
static_assert(kPerLane * 32 == DsMlaEntry::kRank && kRopePerLane * 32 == DsMlaEntry::kRope);

struct Params {
  const char* kv_c;
  const char* k_pe;
  int64_t kv_c_token, k_pe_token;  // bytes
  char* cache;
  int64_t cache_block, cache_token;  // bytes
  int64_t tokens;
  bool pow2;
  Slots slots;
};

// Grid: any. Block: kThreads, one token a warp and step. kAligned: every row can be moved 16 bytes at a time (rope: 4).
template <class From, bool kAligned>
__global__ void __launch_bounds__(kThreads) ds_mla_kernel(const __grid_constant__ Params p) {
  using T = typename From::Storage;
  const int lane = threadIdx.x % 32;
  const int64_t warps = static_cast<int64_t>(gridDim.x) * (kThreads / 32);
  for (int64_t token = static_cast<int64_t>(blockIdx.x) * (kThreads / 32) + threadIdx.x / 32; token < p.tokens; token += warps) {
    const int64_t slot = p.slots.load(token);
    const char* src = p.kv_c + token * p.kv_c_token + lane * kPerLane * static_cast<int>(sizeof(T));
    const char* rope_src = p.k_pe + token * p.k_pe_token + lane * kRopePerLane * static_cast<int>(sizeof(T));
    Pack<kPerLane * sizeof(T)> in;
    Pack<kRopePerLane * sizeof(T)> rope;
    if constexpr (kAligned) {
      in.load(src);
      rope.load(rope_src);
    } else {
#pragma unroll
      for (int i = 0; i < kPerLane; ++i) in.template as<T>()[i] = reinterpret_cast<const T*>(src)[i];
#pragma unroll
      for (int i = 0; i < kRopePerLane; ++i) rope.template as<T>()[i] = reinterpret_cast<const T*>(rope_src)[i];
    }
    float amax = 0;
#pragma unroll
    for (int i = 0; i < kPerLane; ++i) amax = fmaxf(amax, fabsf(From::decode(in.template as<T>()[i])));  // passes over NaN
    amax = group_max<kLanesPerTile>(amax);
    const Place place = p.slots.decode(token, slot, lane == 0);
    if (!place.valid()) continue;  // the whole warp together

    const float exact = __fdiv_rn(amax, 448.0f);
    const float scale = p.pow2 ? next_power_of_two(fmaxf(exact, 1e-4f)) : fmaxf(exact, FLT_MIN);
    Pack<kPerLane> out;
    quantize<From, E4M3, kPerLane>(in.template as<T>(), out.template as<uint8_t>(), scale);
    char* entry = p.cache + place.block * p.cache_block + place.offset * p.cache_token;
    if constexpr (kAligned) {
      out.store_to(entry + lane * kPerLane);
    } else {
#pragma unroll
      for (int i = 0; i < kPerLane / 4; ++i) store<4>(entry + lane * kPerLane + 4 * i, out.template as<uint32_t>()[i]);
    }
    if (lane % kLanesPerTile == 0) {
      store<4>(entry + DsMlaEntry::kScaleOffset + lane / kLanesPerTile * 4, __float_as_uint(scale));
    }
    rope.store_to(entry + DsMlaEntry::kRopeOffset + lane * kRopePerLane * static_cast<int>(sizeof(T)));
  }
}

}  // namespace

void write_ds_mla(const CudaContext& ctx, const ConcatAndCacheMla& q, vkv_stream stream) {
  Params p;
  p.kv_c = q.kv_c.as<const char>();
  p.k_pe = q.k_pe.as<const char>();
  p.kv_c_token = q.kv_c.stride[0] * element_size(q.kv_c.dtype);
  p.k_pe_token = q.k_pe.stride[0] * element_size(q.k_pe.dtype);
  p.cache = q.kv_cache.as<char>();
  p.cache_block = q.kv_cache.stride[0];
  p.cache_token = q.kv_cache.stride[1];
  p.tokens = q.num_tokens;
  p.pow2 = q.scale_pow2;
  p.slots = make_slots(ctx, q.slot_mapping, q.num_blocks, q.block_size, VKV_OP_CONCAT_AND_CACHE_MLA);
  const bool aligned = Alignment().add(q.kv_c, 1).add(q.kv_cache, 2).bytes() == 16 && Alignment().add(q.k_pe, 1).bytes() >= 4;
  const auto kernel = q.kv_c.dtype == VKV_DTYPE_F16 ? (aligned ? ds_mla_kernel<F16, true> : ds_mla_kernel<F16, false>)
                                                    : (aligned ? ds_mla_kernel<BF16, true> : ds_mla_kernel<BF16, false>);
  launch(ctx, kernel, spread(q.num_tokens * 32, 1, ctx.num_sms), kThreads, 0, stream, p);
}

}  // namespace vkv::cuda
