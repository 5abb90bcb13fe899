// NVFP4 writer: a thread keeps one group of 16 elements of a token and quantises it to 8 data bytes and one scale byte, token
// after token, in IEEE float32 steps that run on every architecture.
#include "cuda/cache_write/nvfp4.hpp"
#include "cuda/cache_write/rows.hpp"
#include "cuda/cache_write/token_tile.cuh"
#include "cuda/launch.hpp"
#include "cuda/policy.hpp"
#include "cuda/primitives/memory.cuh"
#include "cuda/primitives/number.cuh"

namespace vkv::cuda {
namespace {

constexpr int kGroup = 16;
constexpr int kDepth = 2;  // most tokens in flight a thread

template <class T>
struct TwoOf {
  using type = __half2;
};
template <>
struct TwoOf<__nv_bfloat16> {
  using type = __nv_bfloat162;
};

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
  FastDiv groups_per_side, groups_per_head;
  int64_t scale_bytes_at;    // from a block's start
  uint32_t swizzle_quarter;  // groups_per_head / 4 if V's scales are swizzled, else 0
  TokenTile tile;            // units are groups: a token's K, then its V
  Slots slots;
};

constexpr uint32_t kOne = 127u << 23, kExponent = 0x7F800000u;

// Nearest of 0 .5 1 1.5 2 3 4 6, ties to the even code. Adding 2^22 times the number's power of two (at least 1) leaves one
// bit behind its leading one, and float32's addition rounds. This is the code's magnitude plus kCodeBias, modulo 2^32.
constexpr uint32_t kCodeBias = (22u << 23) + (kOne >> 22);
__device__ uint32_t biased_code(float magnitude) {
  const float limited = fminf(magnitude, 6.0f);  // NaN becomes 6
  const uint32_t power = max(__float_as_uint(limited) & kExponent, kOne);
  return __float_as_uint(__fadd_rn(limited, __uint_as_float(power + (22u << 23)))) - power + (power >> 22);
}

// Any number, one at a time.
__device__ uint32_t encode_e2m1(float x) {
  const uint32_t code = biased_code(fabsf(x)) - kCodeBias;
  return x != x ? code : code | (__float_as_uint(x) >> 28 & 8u);
}

// A group of any numbers, NaN and infinity too. Out of line: it is for those.
template <class From>
__device__ __noinline__ uint2 encode_any(Pack<kGroup * sizeof(typename From::Storage)> in, float inverse) {
  uint64_t data = 0;
#pragma unroll 1
  for (int i = kGroup - 1; i >= 0; --i) {
    data = data << 4 | encode_e2m1(__fmul_rn(From::decode(in.template as<typename From::Storage>()[i]), inverse));
  }
  return make_uint2(static_cast<uint32_t>(data), static_cast<uint32_t>(data >> 32));
}

// Eight numbers x * inverse, of which none is NaN; inverse is 0 or more.
template <class From>
__device__ uint32_t encode_eight(const typename From::Storage* x, float inverse) {
  constexpr uint32_t kEight = 0x11111111u;
  uint32_t codes = 0, signs = 0;
#pragma unroll
  for (int i = 7; i >= 0; --i) {
    const float value = From::decode(x[i]);
    codes = codes * 16 + biased_code(__fmul_rn(fabsf(value), inverse));
    signs = signs * 16 + (__float_as_uint(value) >> 31);
  }
  return (codes - kCodeBias * kEight) | signs << 3;
}

// The largest magnitude of a group, passing over NaN; `ordinary`: it has neither NaN nor infinity.
template <class T>
__device__ float largest(const Pack<kGroup * sizeof(T)>& in, bool& ordinary) {
  using Two = typename TwoOf<T>::type;
  const Two* x = in.template as<Two>();
  Two most = __habs2(x[0]), most_or_nan = most;
#pragma unroll
  for (int i = 1; i < kGroup / 2; ++i) {
    const Two magnitude = __habs2(x[i]);
    most = __hmax2(most, magnitude);
    most_or_nan = __hmax2_nan(most_or_nan, magnitude);
  }
  const float low = __low2float(most_or_nan), high = __high2float(most_or_nan);
  constexpr float kInf = __builtin_huge_valf();
  ordinary = low < kInf && high < kInf;
  return fmaxf(fmaxf(__low2float(most), __high2float(most)), 0.0f);
}

// Grid and block: p.tile. A thread keeps its group of a token's K or V.
template <class From, bool kAligned>
__global__ void __launch_bounds__(kThreads) nvfp4_kernel(const __grid_constant__ Params p) {
  using T = typename From::Storage;
  uint32_t unit, row, in_side, group;
  int64_t step;
  if (!p.tile.place(unit, row, step)) return;
  const uint32_t v = p.groups_per_side.divide(unit, in_side), per_head = p.groups_per_head.divisor;
  const uint32_t head = p.groups_per_head.divide(in_side, group);
  const Side& side = p.side[v];
  const char* src = side.src + head * side.src_head + static_cast<int64_t>(group) * kGroup * sizeof(T);
  // Swizzled, the scales of four tokens share a row of each of them.
  const bool swizzled = v == 1 && p.swizzle_quarter != 0;
  const uint32_t quarter = swizzled ? group / p.swizzle_quarter : 0, in_quarter = swizzled ? group % p.swizzle_quarter : 0;
  const float global = side.scale == nullptr ? 1.0f : __frcp_rn(__ldg(side.scale)), back = __frcp_rn(global);

  for (; p.tile.has(step); step += p.tile.group_step()) {
    Pack<kGroup * sizeof(T)> in[kDepth];
    int64_t slot[kDepth];
#pragma unroll
    for (int i = 0; i < kDepth; ++i) {
      const int64_t token = p.tile.token(step, row, i);
      slot[i] = -1;
      if (token >= p.tile.tokens) continue;
      slot[i] = p.slots.load(token);
      if constexpr (kAligned) {
        in[i].load(src + token * side.src_token);
      } else {
#pragma unroll
        for (int j = 0; j < kGroup; ++j) {
          in[i].template as<T>()[j] = reinterpret_cast<const T*>(src + token * side.src_token)[j];
        }
      }
    }
#pragma unroll
    for (int i = 0; i < kDepth; ++i) {
      const Place place = p.slots.decode(p.tile.token(step, row, i), slot[i], unit == 0);
      if (!place.valid()) continue;
      const T* x = in[i].template as<T>();
      bool ordinary;
      const float amax = largest<T>(in[i], ordinary);
      const float wanted = __fmul_rn(__fmul_rn(amax, 1.0f / 6.0f), global);
      const uint8_t sf = E4M3::encode(fminf(wanted, 448.0f));  // NaN, from a nonsense scale, becomes 448
      const float sf_value = E4M3::decode(sf);
      const float inverse = sf_value == 0.0f ? 0.0f : __frcp_rn(__fmul_rn(sf_value, back));
      uint2 data;
      if (ordinary && inverse >= 0.0f && inverse < __builtin_huge_valf()) {
        data = make_uint2(encode_eight<From>(x, inverse), encode_eight<From>(x + 8, inverse));
      } else {
        data = encode_any<From>(in[i], inverse);
      }

      char* block = side.cache + place.block * side.cache_block;
      const int64_t entry = place.offset * side.row_token + head * side.row_head;
      char* bytes = block + (entry * per_head + group) * (kGroup / 2);
      if constexpr (kAligned) {
        store<8>(bytes, data);
      } else {
        const uint64_t all = static_cast<uint64_t>(data.y) << 32 | data.x;
#pragma unroll
        for (int j = 0; j < 8; ++j) bytes[j] = static_cast<char>(all >> (8 * j));
      }
      const uint32_t scale_token = swizzled ? place.offset / 4 * 4 + quarter : place.offset;
      const uint32_t scale_column = swizzled ? 4 * in_quarter + place.offset % 4 : group;
      const int64_t scale_row = scale_token * side.row_token + head * side.row_head;
      block[p.scale_bytes_at + scale_row * per_head + scale_column] = static_cast<char>(sf);
    }
  }
}

template <class From>
void launch_nvfp4(const CudaContext& ctx, const Params& p, bool aligned, vkv_stream stream) {
  launch(ctx, aligned ? nvfp4_kernel<From, true> : nvfp4_kernel<From, false>, p.tile.blocks(), p.tile.width, 0, stream, p);
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
  p.tile = TokenTile(q.num_tokens, 2 * per_head * q.num_heads, kDepth, ctx.num_sms);
  p.scale_bytes_at = q.num_heads * q.block_size * q.head_dim / 2;
  p.swizzle_quarter = q.nvfp4_swizzled_v ? static_cast<uint32_t>(per_head / 4) : 0;
  p.slots = make_slots(ctx, q.slot_mapping, q.num_blocks, q.block_size, VKV_OP_RESHAPE_AND_CACHE_FLASH);

  const bool aligned = Alignment().add(q.key, 2).add(q.value, 2).bytes() == 16 &&
                       Alignment().add(q.key_cache, 1).add(q.value_cache, 1).bytes() >= 8;
  if (q.key.dtype == VKV_DTYPE_F16) return launch_nvfp4<F16>(ctx, p, aligned, stream);
  launch_nvfp4<BF16>(ctx, p, aligned, stream);
}

}  // namespace vkv::cuda
