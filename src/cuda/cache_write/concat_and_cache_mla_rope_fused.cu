// concat_and_cache_mla_rope_fused: the items of a token are the rotated pairs of q_pe, those of k_pe (rotated, stored back
// and written to the cache), and the runs of kv_c (written to the cache).
#include "cuda/cache_write/rows.hpp"
#include "cuda/cache_write/token_tile.cuh"
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
  FastDiv units_per_half;
  uint32_t q_units, k_units;  // then the units of kv_c
  TokenTile tile;
  Slots slots;

  // The token's entry; null for a token that is passed over. `reports`: this thread speaks for the token.
  __device__ char* entry(int64_t token, int64_t slot, int64_t position, bool reports) const {
    const Place place = slots.decode(token, slot, reports);
    if (!place.valid()) return nullptr;
    if (position < 0 || position >= max_position) {
      if (reports) note(slots.report, slots.op, VKV_REPORT_POSITION, token, position, max_position);
      return nullptr;
    }
    return cache + place.block * cache_block + place.offset * cache_token;
  }
};

// How a number goes to the cache: as it is, or divided by the scale and narrowed.
template <class T>
struct AsIs {
  using Out = typename T::Storage;
  template <int kElements>
  static __device__ void convert(const Out* x, Out* y, float) {
#pragma unroll
    for (int i = 0; i < kElements; ++i) y[i] = x[i];
  }
};
template <class T, class To>
struct Narrowed {
  using Out = uint8_t;
  template <int kElements>
  static __device__ void convert(const typename T::Storage* x, uint8_t* y, float scale) {
    quantize<T, To, kElements>(x, y, scale);
  }
};

// Rotates one pair; every product and sum is rounded to the input type.
template <class T>
__device__ void rotate(typename T::Storage& x, typename T::Storage& y, typename T::Storage c, typename T::Storage s) {
  const auto product = [](typename T::Storage a, typename T::Storage b) {
    return T::decode(T::encode(__fmul_rn(T::decode(a), T::decode(b))));
  };
  const float xc = product(x, c), ys = product(y, s), yc = product(y, c), xs = product(x, s);
  x = T::encode(__fsub_rn(xc, ys));
  y = T::encode(__fadd_rn(yc, xs));
}

// The same for two NeoX pairs at once, in the 16-bit type's own arithmetic: products of 11 and of 8 bits are exact in
// float32, so that one rounding here is the one rounding there.
template <class Two>
__device__ void rotate_two(Two& x, Two& y, Two c, Two s) {
  const Two xc = __hmul2_rn(x, c), ys = __hmul2_rn(y, s), yc = __hmul2_rn(y, c), xs = __hmul2_rn(x, s);
  x = __hsub2_rn(xc, ys);
  y = __hadd2_rn(yc, xs);
}
template <class T>
struct TwoOf {
  using type = __half2;
};
template <>
struct TwoOf<BF16> {
  using type = __nv_bfloat162;
};

// A unit is kUnit pairs, or as many latent elements (one where elements go singly).
template <int kUnit>
constexpr int kLatent = kUnit == 1 ? 1 : 2 * kUnit;

constexpr int kDepth = 2;  // most tokens in flight a thread

// Grid and block: p.tile. A thread keeps its unit, two runs x and y of kUnit elements: pairs of one head of q_pe or of k_pe,
// or neighbours in kv_c.
template <class T, bool kNeox, class ToCache, int kUnit>
__global__ void __launch_bounds__(kThreads) rope_kernel(const __grid_constant__ Params p) {
  using In = typename T::Storage;
  using Out = typename ToCache::Out;
  using Run = Pack<kUnit * static_cast<int>(sizeof(In))>;
  constexpr int kIn = sizeof(In), kOut = sizeof(Out);
  uint32_t part, row;
  int64_t group;
  if (!p.tile.place(part, row, group)) return;
  const float scale = p.scale == nullptr ? 1.0f : __ldg(p.scale);
  const bool is_q = part < p.q_units, is_latent = part >= p.q_units + p.k_units;
  const bool has_y = kUnit > 1 || !is_latent;

  // Where the runs start, in elements, in the token's row of their tensor.
  const char* src;
  int64_t src_token, x_at, y_at, pair = 0;
  if (is_latent) {
    src = p.kv_c;
    src_token = p.c_token;
    x_at = static_cast<int64_t>(part - p.q_units - p.k_units) * kLatent<kUnit>;
    y_at = x_at + kUnit;
  } else {
    uint32_t unit;
    const uint32_t head = p.units_per_half.divide(is_q ? part : part - p.q_units, unit);
    src = is_q ? p.q_pe + head * p.q_head : p.k_pe;
    src_token = is_q ? p.q_token : p.k_token;
    pair = static_cast<int64_t>(unit) * kUnit;
    x_at = kNeox ? pair : 2 * pair;
    y_at = kNeox ? pair + p.half : 2 * pair + kUnit;
  }
  const int64_t entry_at = is_latent ? 0 : p.rank;

  for (; p.tile.has(group); group += p.tile.group_step()) {
    int64_t slot[kDepth], position[kDepth];
    Run x[kDepth], y[kDepth];
#pragma unroll
    for (int i = 0; i < kDepth; ++i) {
      const int64_t token = p.tile.token(group, row, i);
      slot[i] = -1;
      if (token >= p.tile.tokens) continue;
      slot[i] = p.slots.load(token);
      position[i] = __ldg(p.positions + token * p.position_stride);
      x[i].load(src + token * src_token + x_at * kIn);
      if (has_y) y[i].load(src + token * src_token + y_at * kIn);
    }
#pragma unroll
    for (int i = 0; i < kDepth; ++i) {
      const int64_t token = p.tile.token(group, row, i);
      char* entry = slot[i] < 0 ? nullptr : p.entry(token, slot[i], position[i], part == 0);
      if (entry == nullptr) continue;
      In* xs = x[i].template as<In>();
      In* ys = y[i].template as<In>();
      if (!is_latent) {
        const char* table = p.cos_sin + position[i] * p.table_row;
        Run c, s;
        c.load_shared(table + pair * kIn);
        s.load_shared(table + (pair + p.half) * kIn);
        if constexpr (kNeox && kIn == 2 && kUnit % 2 == 0) {
          using Two = typename TwoOf<T>::type;
#pragma unroll
          for (int j = 0; j < kUnit / 2; ++j) {
            rotate_two(x[i].template as<Two>()[j], y[i].template as<Two>()[j], c.template as<Two>()[j], s.template as<Two>()[j]);
          }
        } else {
#pragma unroll
          for (int j = 0; j < kUnit; ++j) {
            // GPT-J pairs lie side by side, across both runs.
            In& first = kNeox || 2 * j < kUnit ? xs[kNeox ? j : 2 * j] : ys[2 * j - kUnit];
            In& second = kNeox ? ys[j] : 2 * j + 1 < kUnit ? xs[2 * j + 1] : ys[2 * j + 1 - kUnit];
            rotate<T>(first, second, c.template as<In>()[j], s.template as<In>()[j]);
          }
        }
        char* back = const_cast<char*>(src) + token * src_token;
        x[i].store_to(back + x_at * kIn);
        y[i].store_to(back + y_at * kIn);
        if (is_q) continue;
      }
      Pack<kUnit * kOut> out;
      ToCache::template convert<kUnit>(xs, out.template as<Out>(), scale);
      out.store_to(entry + (entry_at + x_at) * kOut);
      if (!has_y) continue;
      ToCache::template convert<kUnit>(ys, out.template as<Out>(), scale);
      out.store_to(entry + (entry_at + y_at) * kOut);
    }
  }
}

template <class T, bool kNeox, class ToCache, int kUnit>
void launch_units(const CudaContext& ctx, Params p, const ConcatAndCacheMlaRopeFused& q, vkv_stream stream) {
  const int64_t units = p.half / kUnit, all = (q.num_heads + 1) * units + p.rank / kLatent<kUnit>;
  if (all == 0) return;
  p.units_per_half = FastDiv(static_cast<uint32_t>(units));
  p.q_units = static_cast<uint32_t>(q.num_heads * units);
  p.k_units = static_cast<uint32_t>(units);
  p.tile = TokenTile(q.num_tokens, all, kDepth, ctx.num_sms);
  launch(ctx, rope_kernel<T, kNeox, ToCache, kUnit>, p.tile.blocks(), p.tile.width, 0, stream, p);
}

template <class T, bool kNeox, class ToCache>
void launch_style(const CudaContext& ctx, const Params& p, const ConcatAndCacheMlaRopeFused& q, vkv_stream stream) {
  constexpr int kIn = sizeof(typename T::Storage), kOut = sizeof(typename ToCache::Out), kUnit = 16 / kIn;
  const bool vectors = p.half % kUnit == 0 && p.rank % kLatent<kUnit> == 0 &&
                       Alignment().add(q.q_pe, 2).add(q.k_pe, 1).add(q.kv_c, 1).add(q.cos_sin_cache, 1).bytes() == 16 &&
                       Alignment().add(q.kv_cache, 2).bytes(16) >= kUnit * kOut;
  if (vectors) return launch_units<T, kNeox, ToCache, kUnit>(ctx, p, q, stream);
  launch_units<T, kNeox, ToCache, 1>(ctx, p, q, stream);
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
  p.slots = make_slots(ctx, q.slot_mapping, q.num_blocks, q.block_size, VKV_OP_CONCAT_AND_CACHE_MLA_ROPE_FUSED);
  switch (q.q_pe.dtype) {
    case VKV_DTYPE_F16: return launch_type<F16>(ctx, p, q, stream);
    case VKV_DTYPE_BF16: return launch_type<BF16>(ctx, p, q, stream);
    default: return launch_type<F32>(ctx, p, q, stream);
  }
}

}  // namespace vkv::cuda
