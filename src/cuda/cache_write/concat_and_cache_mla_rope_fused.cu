// concat_and_cache_mla_rope_fused: the items of a token are the rotated pairs of q_pe, those of k_pe (rotated, stored back
// and written to the cache), and the runs of kv_c (written to the cache).
#include "cuda/cache_write/rows.hpp"
#include "cuda/launch.hpp"
#include "cuda/ops.hpp"
#include "cuda/policy.hpp"
#include "cuda/primitives/memory.cuh"
#include "cuda/primitives/number.cuh"

namespace vkv::cuda {
namespace {

struct Params {
  const int64_t* positions;
  int64_t position_stride, max_position;
  char* q_pe;
  char* k_pe;
  const char* kv_c;
  const char* cos_sin;
  char* cache;
  int64_t q_token, q_head, k_token, c_token, table_row, cache_block, cache_token;  // bytes
  int64_t half;                                                                    // rope_dim / 2
  int64_t rank;                                                                    // kv_lora_rank
  const float* scale;
  FastDiv items_per_token, units_per_half;
  uint32_t q_items, k_items;  // then the items of kv_c
  int64_t tokens, tokens_per_pass;
  Slots slots;
};

// How a number goes to the cache: as it is, or divided by the scale and narrowed.
template <class T>
struct AsIs {
  using Out = typename T::Storage;
  static __device__ Out narrow(typename T::Storage x, const Divider&) { return x; }
};
template <class T, class To>
struct Narrowed {
  using Out = uint8_t;
  static __device__ uint8_t narrow(typename T::Storage x, const Divider& by) { return To::encode(by.divide(T::decode(x))); }
};

template <class T>
__device__ typename T::Storage rounded_product(float a, float b) {
  return T::encode(__fmul_rn(a, b));
}

// Rotates one pair; every product and sum is rounded to the input type.
template <class T>
__device__ void rotate(typename T::Storage& x, typename T::Storage& y, typename T::Storage c, typename T::Storage s) {
  const float fx = T::decode(x), fy = T::decode(y), fc = T::decode(c), fs = T::decode(s);
  const float xc = T::decode(rounded_product<T>(fx, fc)), ys = T::decode(rounded_product<T>(fy, fs));
  const float yc = T::decode(rounded_product<T>(fy, fc)), xs = T::decode(rounded_product<T>(fx, fs));
  x = T::encode(__fsub_rn(xc, ys));
  y = T::encode(__fadd_rn(yc, xs));
}

// Latent elements of an item: as many as kUnit pairs have, or one where elements go singly.
template <int kUnit>
constexpr int kLatent = kUnit == 1 ? 1 : 2 * kUnit;

// Grid: any. Block: kThreads, one item a thread and step: kUnit pairs, or kLatent latent elements.
template <class T, bool kNeox, class ToCache, int kUnit>
__global__ void __launch_bounds__(kThreads) rope_kernel(const __grid_constant__ Params p) {
  using In = typename T::Storage;
  using Out = typename ToCache::Out;
  constexpr int kIn = sizeof(In), kOut = sizeof(Out), kRun = kLatent<kUnit>;
  using Half = Pack<kUnit * kIn>;
  const Divider by(p.scale == nullptr ? 1.0f : __ldg(p.scale));
  for (int64_t first = 0; first < p.tokens; first += p.tokens_per_pass) {
    const int64_t left = p.tokens - first;
    const auto items = static_cast<uint32_t>((left < p.tokens_per_pass ? left : p.tokens_per_pass) * p.items_per_token.divisor);
    for (uint32_t item = blockIdx.x * kThreads + threadIdx.x; item < items; item += gridDim.x * kThreads) {
      uint32_t part;
      const int64_t token = first + p.items_per_token.divide(item, part);
      const int64_t slot = p.slots.load(token);
      const int64_t position = __ldg(p.positions + token * p.position_stride);
      // Where the item's entry goes, once its own loads are on their way.
      const auto entry = [&]() -> char* {
        const Place place = p.slots.decode(token, slot, part == 0);
        if (!place.valid()) return nullptr;
        if (position < 0 || position >= p.max_position) {
          if (part == 0) note(p.slots.report, p.slots.op, VKV_REPORT_POSITION, token, position, p.max_position);
          return nullptr;
        }
        return p.cache + place.block * p.cache_block + place.offset * p.cache_token;
      };

      if (part >= p.q_items + p.k_items) {
        const int64_t at = static_cast<int64_t>(part - p.q_items - p.k_items) * kRun;
        Pack<kRun * kIn> in;
        in.load(p.kv_c + token * p.c_token + at * kIn);
        char* dst = entry();
        if (dst == nullptr) continue;
        Pack<kRun * kOut> out;
#pragma unroll
        for (int i = 0; i < kRun; ++i) out.template as<Out>()[i] = ToCache::narrow(in.template as<In>()[i], by);
        out.store_to(dst + at * kOut);
        continue;
      }

      uint32_t unit;
      const bool is_q = part < p.q_items;
      const uint32_t head = p.units_per_half.divide(is_q ? part : part - p.q_items, unit);
      char* row = is_q ? p.q_pe + token * p.q_token + head * p.q_head : p.k_pe + token * p.k_token;
      const int64_t pair = static_cast<int64_t>(unit) * kUnit;
      // A unit's numbers: NeoX has x and y in two runs, GPT-J interleaved in one.
      const int64_t x_at = kNeox ? pair : 2 * pair, y_at = kNeox ? pair + p.half : 2 * pair + kUnit;
      Half x, y, c, s;
      x.load(row + x_at * kIn);
      y.load(row + y_at * kIn);
      char* dst = entry();
      if (dst == nullptr) continue;
      const char* table = p.cos_sin + position * p.table_row;
      c.load_shared(table + pair * kIn);
      s.load_shared(table + (pair + p.half) * kIn);
      In* xs = x.template as<In>();
      In* ys = y.template as<In>();
#pragma unroll
      for (int i = 0; i < kUnit; ++i) {
        if constexpr (kNeox) {
          rotate<T>(xs[i], ys[i], c.template as<In>()[i], s.template as<In>()[i]);
        } else {
          In& even = 2 * i < kUnit ? xs[2 * i] : ys[2 * i - kUnit];
          In& odd = 2 * i + 1 < kUnit ? xs[2 * i + 1] : ys[2 * i + 1 - kUnit];
          rotate<T>(even, odd, c.template as<In>()[i], s.template as<In>()[i]);
        }
      }
      x.store_to(row + x_at * kIn);
      y.store_to(row + y_at * kIn);
      if (is_q) continue;
      Pack<kUnit * kOut> cache_x, cache_y;
#pragma unroll
      for (int i = 0; i < kUnit; ++i) {
        cache_x.template as<Out>()[i] = ToCache::narrow(xs[i], by);
        cache_y.template as<Out>()[i] = ToCache::narrow(ys[i], by);
      }
      cache_x.store_to(dst + (p.rank + x_at) * kOut);
      cache_y.store_to(dst + (p.rank + y_at) * kOut);
    }
  }
}

template <class T, bool kNeox, class ToCache, int kUnit>
void launch_units(const CudaContext& ctx, Params p, int64_t heads, vkv_stream stream) {
  const int64_t units = p.half / kUnit, latent = p.rank / kLatent<kUnit>;
  p.units_per_half = FastDiv(static_cast<uint32_t>(units > 0 ? units : 1));
  p.q_items = static_cast<uint32_t>(heads * units);
  p.k_items = static_cast<uint32_t>(units);
  p.items_per_token = FastDiv(static_cast<uint32_t>((heads + 1) * units + latent));
  if (p.items_per_token.divisor == 0) return;
  p.tokens_per_pass = std::max<int64_t>((int64_t{1} << 30) / p.items_per_token.divisor, 1);
  const int64_t items = std::min(p.tokens, p.tokens_per_pass) * p.items_per_token.divisor;
  launch(ctx, rope_kernel<T, kNeox, ToCache, kUnit>, spread(items, 1, ctx.num_sms), kThreads, 0, stream, p);
}

template <class T, bool kNeox, class ToCache>
void launch_style(const CudaContext& ctx, const Params& p, const ConcatAndCacheMlaRopeFused& q, vkv_stream stream) {
  constexpr int kIn = sizeof(typename T::Storage), kOut = sizeof(typename ToCache::Out), kUnit = 16 / kIn;
  const bool vectors = p.half % kUnit == 0 && p.rank % kLatent<kUnit> == 0 &&
                       Alignment().add(q.q_pe, 2).add(q.k_pe, 1).add(q.kv_c, 1).add(q.cos_sin_cache, 1).bytes() == 16 &&
                       Alignment().add(q.kv_cache, 2).bytes(16) >= std::min(16, kLatent<kUnit> * kOut);
  if (vectors) return launch_units<T, kNeox, ToCache, kUnit>(ctx, p, q.num_heads, stream);
  launch_units<T, kNeox, ToCache, 1>(ctx, p, q.num_heads, stream);
}

template <class T, class ToCache>
void launch_cache(const CudaContext& ctx, const Params& p, const ConcatAndCacheMlaRopeFused& q, vkv_stream stream) {
  if (q.neox) return launch_style<T, true, ToCache>(ctx, p, q, stream);
  launch_style<T, false, ToCache>(ctx, p, q, stream);
}

template <class T>
void launch_type(const CudaContext& ctx, const Params& p, const ConcatAndCacheMlaRopeFused& q, vkv_stream stream) {
  switch (q.kv_cache.dtype) {
    case VKV_DTYPE_FP8_E4M3: return launch_cache<T, Narrowed<T, E4M3>>(ctx, p, q, stream);
    case VKV_DTYPE_FP8_E5M2: return launch_cache<T, Narrowed<T, E5M2>>(ctx, p, q, stream);
    default: return launch_cache<T, AsIs<T>>(ctx, p, q, stream);
  }
}

}  // namespace

void run(const Context& context, const ConcatAndCacheMlaRopeFused& q, vkv_stream stream) {
  const CudaContext& ctx = self(context);
  const int64_t in = element_size(q.q_pe.dtype), out = element_size(q.kv_cache.dtype);
  Params p{};
  p.positions = q.positions.as<const int64_t>();
  p.position_stride = q.positions.stride[0];
  p.max_position = q.max_position;
  p.q_pe = q.q_pe.as<char>();
  p.k_pe = q.k_pe.as<char>();
  p.kv_c = q.kv_c.as<const char>();
  p.cos_sin = q.cos_sin_cache.as<const char>();
  p.cache = q.kv_cache.as<char>();
  p.q_token = q.q_pe.stride[0] * in;
  p.q_head = q.q_pe.stride[1] * in;
  p.k_token = q.k_pe.stride[0] * in;
  p.c_token = q.kv_c.stride[0] * in;
  p.table_row = q.cos_sin_cache.stride[0] * in;
  p.cache_block = q.kv_cache.stride[0] * out;
  p.cache_token = q.kv_cache.stride[1] * out;
  p.half = q.rope_dim / 2;
  p.rank = q.kv_lora_rank;
  p.scale = q.kv_cache_scale.as<const float>();
  p.tokens = q.num_tokens;
  p.slots = make_slots(ctx, q.slot_mapping, q.num_blocks, q.block_size, VKV_OP_CONCAT_AND_CACHE_MLA_ROPE_FUSED);
  switch (q.q_pe.dtype) {
    case VKV_DTYPE_F16: return launch_type<F16>(ctx, p, q, stream);
    case VKV_DTYPE_BF16: return launch_type<BF16>(ctx, p, q, stream);
    default: return launch_type<F32>(ctx, p, q, stream);
  }
}

}  // namespace vkv::cuda
