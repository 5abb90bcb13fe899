// NVFP4 writer: one thread quantises one run of 16 elements to 8 data bytes and one scale byte, in IEEE float32 steps that
// run on every architecture.
#include "cuda/cache_write/nvfp4.hpp"
#include "cuda/cache_write/rows.hpp"
#include "cuda/launch.hpp"
#include "cuda/policy.hpp"
#include "cuda/primitives/memory.cuh"
#include "cuda/primitives/number.cuh"

namespace vkv::cuda {
namespace {

constexpr int kGroup = 16;

struct Side {
  const char* src;
  int64_t src_token, src_head;  // bytes
  char* cache;
  int64_t cache_block;          // bytes
  int64_t row_token, row_head;  // row number in a block = token * row_token + head * row_head
  const float* scale;
};

struct Params {
  Side side[2];  // K, V
  FastDiv groups_per_token, groups_per_side, groups_per_head;
  int64_t tokens, tokens_per_pass;
  int64_t scale_bytes_at;      // from a block's start
  uint32_t swizzle_quarter;    // groups_per_head / 4 if V's scales are swizzled, else 0
  Slots slots;
};

// Nearest of 0 .5 1 1.5 2 3 4 6, ties to the even code. Adding 2^22 times the number's power of two (at least 1) leaves one
// bit behind its leading one, and float32's addition rounds.
__device__ uint32_t encode_e2m1(float x) {
  constexpr uint32_t kOne = 127u << 23;
  const float limited = fminf(fabsf(x), 6.0f);  // NaN becomes 6
  const uint32_t power = max(__float_as_uint(limited) & 0x7F800000u, kOne);
  const uint32_t unit = power + (22u << 23);
  const uint32_t code = __float_as_uint(__fadd_rn(limited, __uint_as_float(unit))) - unit + ((power - kOne) >> 22);
  return x != x ? code : code | (__float_as_uint(x) >> 28 & 8u);
}

// Grid: any. Block: kThreads, one group a thread and step.
template <class From, bool kAligned>
__global__ void __launch_bounds__(kThreads) nvfp4_kernel(const __grid_constant__ Params p) {
  using T = typename From::Storage;
  for (int64_t first = 0; first < p.tokens; first += p.tokens_per_pass) {
    const int64_t left = p.tokens - first;
    const auto items = static_cast<uint32_t>((left < p.tokens_per_pass ? left : p.tokens_per_pass) * p.groups_per_token.divisor);
    for (uint32_t item = blockIdx.x * kThreads + threadIdx.x; item < items; item += gridDim.x * kThreads) {
      uint32_t in_token, in_side, group;
      const int64_t token = first + p.groups_per_token.divide(item, in_token);
      const uint32_t v = p.groups_per_side.divide(in_token, in_side);
      const uint32_t head = p.groups_per_head.divide(in_side, group);
      const Side& side = p.side[v];
      const int64_t slot = p.slots.load(token);
      const char* src = side.src + token * side.src_token + head * side.src_head + static_cast<int64_t>(group) * kGroup * sizeof(T);
      Pack<kGroup * sizeof(T)> in;
      if constexpr (kAligned) {
        in.load(src);
      } else {
#pragma unroll
        for (int i = 0; i < kGroup; ++i) in.template as<T>()[i] = reinterpret_cast<const T*>(src)[i];
      }
      const float scale = side.scale == nullptr ? 1.0f : __ldg(side.scale);

      float x[kGroup], amax = 0;
#pragma unroll
      for (int i = 0; i < kGroup; ++i) {
        x[i] = From::decode(in.template as<T>()[i]);
        amax = fmaxf(amax, fabsf(x[i]));  // passes over NaN
      }
      const float global = __fdiv_rn(1.0f, scale);
      const float wanted = __fmul_rn(__fmul_rn(amax, 1.0f / 6.0f), global);
      const uint8_t sf = E4M3::encode(fminf(wanted, 448.0f));  // NaN, from a nonsense scale, becomes 448
      const float sf_value = E4M3::decode(sf);
      const float inverse = sf_value == 0.0f ? 0.0f : __fdiv_rn(1.0f, __fmul_rn(sf_value, __fdiv_rn(1.0f, global)));
      uint64_t data = 0;
#pragma unroll
      for (int i = 0; i < kGroup; ++i) data |= static_cast<uint64_t>(encode_e2m1(__fmul_rn(x[i], inverse))) << (4 * i);

      const Place place = p.slots.decode(token, slot, in_token == 0);
      if (!place.valid()) continue;
      char* block = side.cache + place.block * side.cache_block;
      const uint32_t per_head = p.groups_per_head.divisor;
      const int64_t row = place.offset * side.row_token + head * side.row_head;
      char* bytes = block + (row * per_head + group) * (kGroup / 2);
      if constexpr (kAligned) {
        store<8>(bytes, make_uint2(static_cast<uint32_t>(data), static_cast<uint32_t>(data >> 32)));
      } else {
#pragma unroll
        for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(data >> (8 * i));
      }
      int64_t scale_row = row;
      uint32_t scale_column = group;
      if (v == 1 && p.swizzle_quarter != 0) {
        const uint32_t token_row = place.offset / 4 * 4 + group / p.swizzle_quarter;
        scale_row = token_row * side.row_token + head * side.row_head;
        scale_column = 4 * (group % p.swizzle_quarter) + place.offset % 4;
      }
      block[p.scale_bytes_at + scale_row * per_head + scale_column] = static_cast<char>(sf);
    }
  }
}

template <class From>
void launch_nvfp4(const CudaContext& ctx, const Params& p, bool aligned, vkv_stream stream) {
  const int64_t items = std::min(p.tokens, p.tokens_per_pass) * p.groups_per_token.divisor;
  launch(ctx, aligned ? nvfp4_kernel<From, true> : nvfp4_kernel<From, false>, spread(items, 2, ctx.num_sms), kThreads, 0,
         stream, p);
}

}  // namespace

void write_nvfp4(const CudaContext& ctx, const ReshapeAndCacheFlash& q, vkv_stream stream) {
  const int64_t size = element_size(q.key.dtype), per_head = q.head_dim / kGroup;
  const auto side = [&](const Tensor& src, const Tensor& cache, const Tensor& scale) {
    const int64_t row_bytes = cache.shape[3];  // strides count whole nominal rows, token-major or head-major
    return Side{src.as<const char>(),      src.stride[0] * size,        src.stride[1] * size,
                cache.as<char>(),          cache.stride[0],             cache.stride[1] / row_bytes,
                cache.stride[2] / row_bytes, scale.as<const float>()};
  };
  Params p;
  p.side[0] = side(q.key, q.key_cache, q.k_scale);
  p.side[1] = side(q.value, q.value_cache, q.v_scale);
  p.groups_per_head = FastDiv(static_cast<uint32_t>(per_head));
  p.groups_per_side = FastDiv(static_cast<uint32_t>(per_head * q.num_heads));
  p.groups_per_token = FastDiv(static_cast<uint32_t>(2 * per_head * q.num_heads));
  p.tokens = q.num_tokens;
  p.tokens_per_pass = std::max<int64_t>((int64_t{1} << 30) / p.groups_per_token.divisor, 1);
  p.scale_bytes_at = q.num_heads * q.block_size * q.head_dim / 2;
  p.swizzle_quarter = q.nvfp4_swizzled_v ? static_cast<uint32_t>(per_head / 4) : 0;
  p.slots = make_slots(ctx, q.slot_mapping, q.num_blocks, q.block_size, VKV_OP_RESHAPE_AND_CACHE_FLASH);

  const bool aligned = Alignment().add(q.key, 2).add(q.value, 2).bytes() == 16 &&
                       Alignment().add(q.key_cache, 1).add(q.value_cache, 1).bytes() >= 8;
  if (q.key.dtype == VKV_DTYPE_F16) return launch_nvfp4<F16>(ctx, p, aligned, stream);
  launch_nvfp4<BF16>(ctx, p, aligned, stream);
}

}  // namespace vkv::cuda
