// reshape_and_cache: many tokens are turned over in shared memory, a tile at a time, so that consecutive lanes write
// consecutive tokens, which lie side by side in an x-packed block. Few tokens, most likely each in a block of its own, go there
// straight.
#include "cuda/cache_write/rows.hpp"
#include "cuda/launch.hpp"
#include "cuda/ops.hpp"
#include "cuda/policy.hpp"
#include "cuda/primitives/memory.cuh"
#include "cuda/primitives/number.cuh"

namespace vkv::cuda {
namespace {

constexpr int kTileTokens = 16;
constexpr unsigned kTileLanes = (1u << kTileTokens) - 1;
constexpr int kTileUnits = 32;  // 16-byte groups of x cache elements
constexpr int kStraightTokens = 256;
constexpr int kStraightThreads = 64;  // few, so that the many sectors that a token's values lie in go out from many SMs

struct Side {
  const char* src;
  int64_t src_token, src_head;  // bytes
  char* dst;
  int64_t dst_block, dst_head;  // bytes
  const float* scale;
  int64_t scale_head;
};

struct Params {
  Side side[2];               // K, V
  FastDiv groups_per_head;    // head_dim / x
  uint32_t groups;            // of one token and side
  uint32_t columns;           // tiles across the groups of one side
  int64_t tokens, tiles;
  bool value_runs;            // 16 bytes of consecutive tokens of a value dimension may be written at once
  FastDiv chunks;             // CTAs that share a token, where tokens go straight
  Slots slots;
};

// kElements packed elements, whole or one by one.
template <class In, int kElements, bool kAligned>
__device__ void load_elements(const char* src, Pack<kElements * static_cast<int>(sizeof(In))>& in) {
  if constexpr (kAligned) {
    in.load(src);
  } else {
#pragma unroll
    for (int j = 0; j < kElements; ++j) in.template as<In>()[j] = reinterpret_cast<const In*>(src)[j];
  }
}

// V [.., head_dim, block_size], the tile's tokens one after the other from `first`: an item is the same one or two dimensions of
// each of x tokens, 16 bytes a dimension. Lanes run over the pieces of a dimension, which lie side by side.
template <class Out, int kRow>
__device__ void store_value_runs(const Params& p, const Side& side, const Place& first, uint32_t first_group, const char* tile) {
  constexpr int kX = 16 / sizeof(Out), kDims = sizeof(Out) == 4 ? 1 : 2, kPieces = kTileTokens / kX;
  constexpr int kItems = kTileUnits * kX / kDims * kPieces;
  const auto block_size = static_cast<int64_t>(p.slots.block_size.fast.divisor);
#pragma unroll 1
  for (int item = threadIdx.x; item < kItems; item += kThreads) {
    const int token = item % kPieces * kX, dim = item / kPieces * kDims;
    const uint32_t group = first_group + dim / kX;
    if (group >= p.groups) break;
    uint32_t in_head;
    const uint32_t head = p.groups_per_head.divide(group, in_head);
    Pack<16> out[kDims];
#pragma unroll
    for (int j = 0; j < kX; ++j) {
      using Word = Pack<kDims * static_cast<int>(sizeof(Out))>;
      const Word word = *reinterpret_cast<const Word*>(tile + (token + j) * kRow + dim * static_cast<int>(sizeof(Out)));
#pragma unroll
      for (int k = 0; k < kDims; ++k) out[k].template as<Out>()[j] = word.template as<Out>()[k];
    }
    const int64_t d = static_cast<int64_t>(in_head) * kX + dim % kX;
    char* dst = side.dst + first.block * side.dst_block + head * side.dst_head +
                (d * block_size + first.offset + token) * static_cast<int64_t>(sizeof(Out));
#pragma unroll
    for (int k = 0; k < kDims; ++k) out[k].store_to(dst + k * block_size * static_cast<int64_t>(sizeof(Out)));
  }
}

// Grid: any number of CTAs; a CTA turns one tile at a time: kTileTokens tokens x kTileUnits groups of K, or of V.
// Block: kThreads. Shared: the tile in cache format, one row a token, padded by 4 bytes against bank conflicts.
template <class From, class ToCache, bool kAligned>
__global__ void __launch_bounds__(kThreads, kAligned && sizeof(typename From::Storage) == 2 ? 5 : 3) x_packed_kernel(const __grid_constant__ Params p) {
  using In = typename From::Storage;
  using Out = typename ToCache::Out;
  constexpr int kX = 16 / sizeof(Out);
  constexpr int kRow = kTileUnits * 16 + 4;
  __shared__ alignas(16) char tile[kTileTokens * kRow];
  __shared__ Place place_of[kTileTokens];
  __shared__ bool is_run;  // the tile's tokens lie one after the other in one block

  for (int64_t t = blockIdx.x; t < p.tiles; t += gridDim.x) {
    const int64_t band = t / (2 * p.columns);
    const auto across = static_cast<uint32_t>(t % (2 * p.columns));
    const Side& side = p.side[across & 1];
    const uint32_t first_group = (across >> 1) * kTileUnits;
    const int64_t first_token = band * kTileTokens;

    // The data first: it need not wait for the slots.
    constexpr int kUnits = kTileTokens * kTileUnits / kThreads;
    Pack<kX * static_cast<int>(sizeof(In))> in[kUnits];
    float scale[kUnits];
    bool live[kUnits];
#pragma unroll
    for (int i = 0; i < kUnits; ++i) {
      const int unit = threadIdx.x + i * kThreads;
      const int64_t token = first_token + unit / kTileUnits;
      const uint32_t group = first_group + unit % kTileUnits;
      live[i] = token < p.tokens && group < p.groups;
      if (!live[i]) continue;
      uint32_t in_head;
      const uint32_t head = p.groups_per_head.divide(group, in_head);
      const char* src = side.src + token * side.src_token + head * side.src_head + static_cast<int64_t>(in_head) * kX * sizeof(In);
      load_elements<In, kX, kAligned>(src, in[i]);
      scale[i] = side.scale == nullptr ? 1.0f : __ldg(side.scale + head * side.scale_head);
    }
    if (threadIdx.x < kTileTokens) {
      const int64_t token = first_token + threadIdx.x;
      const Place place = token < p.tokens ? p.slots.decode(token, p.slots.load(token), across == 0) : Place{-1, 0};
      place_of[threadIdx.x] = place;
      const uint32_t offset = __shfl_sync(kTileLanes, place.offset, 0);
      const int64_t block = __shfl_sync(kTileLanes, place.block, 0);
      const bool follows = place.valid() && place.block == block && place.offset == offset + threadIdx.x;
      const bool all = __all_sync(kTileLanes, follows);
      if (threadIdx.x == 0) is_run = all && p.value_runs && offset % kX == 0;
    }
#pragma unroll
    for (int i = 0; i < kUnits; ++i) {
      if (!live[i]) continue;
      const int unit = threadIdx.x + i * kThreads;
      Pack<16> out;
      ToCache::template convert<kX>(in[i].template as<In>(), out.template as<Out>(), scale[i]);
      char* row = tile + unit / kTileUnits * kRow + unit % kTileUnits * 16;
#pragma unroll
      for (int j = 0; j < 4; ++j) store<4>(row + 4 * j, out.template as<uint32_t>()[j]);
    }
    __syncthreads();

    const auto block_size = static_cast<int64_t>(p.slots.block_size.fast.divisor);
    if ((across & 1) == 0) {
      // K [.., head_dim / x, block_size, x]: lanes run over tokens, then groups.
      for (int unit = threadIdx.x; unit < kTileTokens * kTileUnits; unit += kThreads) {
        const int row = unit % kTileTokens, column = unit / kTileTokens;
        const uint32_t group = first_group + column;
        const Place place = place_of[row];
        if (!place.valid() || group >= p.groups) continue;
        uint32_t in_head;
        const uint32_t head = p.groups_per_head.divide(group, in_head);
        const auto* words = reinterpret_cast<const uint32_t*>(tile + row * kRow + column * 16);
        char* dst = side.dst + place.block * side.dst_block + head * side.dst_head + (in_head * block_size + place.offset) * 16;
        const uint4 value = make_uint4(words[0], words[1], words[2], words[3]);
        if constexpr (kAligned) {
          store<16>(dst, value);
        } else {
#pragma unroll
          for (int i = 0; i < kX; ++i) reinterpret_cast<Out*>(dst)[i] = reinterpret_cast<const Out*>(&value)[i];
        }
      }
    } else if (is_run) {
      store_value_runs<Out, kRow>(p, side, place_of[0], first_group, tile);
    } else {
      // V [.., head_dim, block_size]: lanes run over tokens, then dims.
      const int row = threadIdx.x % kTileTokens;
      const Place place = place_of[row];
      for (int dim = threadIdx.x / kTileTokens; dim < kTileUnits * kX && place.valid(); dim += kThreads / kTileTokens) {
        const uint32_t group = first_group + dim / kX;
        if (group >= p.groups) break;
        uint32_t in_head;
        const uint32_t head = p.groups_per_head.divide(group, in_head);
        const int64_t d = static_cast<int64_t>(in_head) * kX + dim % kX;
        char* dst = side.dst + place.block * side.dst_block + head * side.dst_head +
                    (d * block_size + place.offset) * static_cast<int64_t>(sizeof(Out));
        *reinterpret_cast<Out*>(dst) = *reinterpret_cast<const Out*>(tile + row * kRow + dim * static_cast<int>(sizeof(Out)));
      }
    }
    __syncthreads();
  }
}

// Grid: p.tokens x p.chunks. Block: kStraightThreads. A thread writes one group of K, or two elements of V.
template <class From, class ToCache, bool kAligned>
__global__ void __launch_bounds__(kStraightThreads) straight_kernel(const __grid_constant__ Params p) {
  using In = typename From::Storage;
  using Out = typename ToCache::Out;
  constexpr int kX = 16 / sizeof(Out), kPairs = kX / 2;
  uint32_t chunk;
  const int64_t token = p.chunks.divide(blockIdx.x, chunk);
  const uint32_t unit = chunk * kStraightThreads + threadIdx.x;
  if (unit >= p.groups * (1 + kPairs)) return;
  const int64_t slot = p.slots.load(token);
  const bool is_key = unit < p.groups;
  const uint32_t group = is_key ? unit : (unit - p.groups) / kPairs, pair = is_key ? 0 : (unit - p.groups) % kPairs;
  const Side& side = p.side[is_key ? 0 : 1];
  uint32_t in_head;
  const uint32_t head = p.groups_per_head.divide(group, in_head);
  const int64_t dim = static_cast<int64_t>(in_head) * kX + 2 * pair;
  const char* src = side.src + token * side.src_token + head * side.src_head + dim * static_cast<int64_t>(sizeof(In));
  const float scale = side.scale == nullptr ? 1.0f : __ldg(side.scale + head * side.scale_head);
  const auto block_size = static_cast<int64_t>(p.slots.block_size.fast.divisor);
  const auto head_at = [&](const Place& place) { return side.dst + place.block * side.dst_block + head * side.dst_head; };
  if (is_key) {
    Pack<kX * static_cast<int>(sizeof(In))> in;
    load_elements<In, kX, kAligned>(src, in);
    const Place place = p.slots.decode(token, slot, unit == 0);
    if (!place.valid()) return;
    Pack<16> out;
    ToCache::template convert<kX>(in.template as<In>(), out.template as<Out>(), scale);
    char* dst = head_at(place) + (in_head * block_size + place.offset) * 16;
    if constexpr (kAligned) {
      out.store_to(dst);
    } else {
#pragma unroll
      for (int i = 0; i < kX; ++i) reinterpret_cast<Out*>(dst)[i] = out.template as<Out>()[i];
    }
  } else {
    Pack<2 * static_cast<int>(sizeof(In))> in;
    load_elements<In, 2, kAligned>(src, in);
    const Place place = p.slots.decode(token, slot, false);
    if (!place.valid()) return;
    Pack<2 * static_cast<int>(sizeof(Out))> out;
    ToCache::template convert<2>(in.template as<In>(), out.template as<Out>(), scale);
    Out* dst = reinterpret_cast<Out*>(head_at(place)) + dim * block_size + place.offset;
    dst[0] = out.template as<Out>()[0];
    dst[block_size] = out.template as<Out>()[1];
  }
}

template <class From>
struct AsIs {
  using Out = typename From::Storage;
  template <int kElements>
  static __device__ void convert(const Out* in, Out* out, float) {
#pragma unroll
    for (int i = 0; i < kElements; ++i) out[i] = in[i];
  }
};

template <class From, class To>
struct Narrowed {
  using Out = uint8_t;
  template <int kElements>
  static __device__ void convert(const typename From::Storage* in, uint8_t* out, float scale) {
    quantize<From, To, kElements>(in, out, scale);
  }
};

template <class From, class ToCache>
void launch_x_packed(const CudaContext& ctx, Params p, bool aligned, vkv_stream stream) {
  if (p.tokens <= kStraightTokens) {
    constexpr int64_t kUnits = 1 + 8 / sizeof(typename ToCache::Out);  // of a group: one of K, then pairs of V
    const int64_t chunks = ceil_div(p.groups * kUnits, kStraightThreads);
    if (p.tokens * chunks < (int64_t{1} << 31) / kStraightThreads) {  // units are numbered in 32 bits
      p.chunks = FastDiv(static_cast<uint32_t>(chunks));
      return launch(ctx, aligned ? straight_kernel<From, ToCache, true> : straight_kernel<From, ToCache, false>,
                    p.tokens * chunks, kStraightThreads, 0, stream, p);
    }
  }
  launch(ctx, aligned ? x_packed_kernel<From, ToCache, true> : x_packed_kernel<From, ToCache, false>,
         std::min<int64_t>(p.tiles, int64_t{1} << 30), kThreads, 0, stream, p);
}

template <class From>
void launch_from(const CudaContext& ctx, const Params& p, vkv_dtype to, bool aligned, vkv_stream stream) {
  switch (to) {
    case VKV_DTYPE_FP8_E4M3: return launch_x_packed<From, Narrowed<From, E4M3>>(ctx, p, aligned, stream);
    case VKV_DTYPE_FP8_E5M2: return launch_x_packed<From, Narrowed<From, E5M2>>(ctx, p, aligned, stream);
    default: return launch_x_packed<From, AsIs<From>>(ctx, p, aligned, stream);
  }
}

}  // namespace

void run(const Context& context, const ReshapeAndCache& q, vkv_stream stream) {
  const CudaContext& ctx = self(context);
  const int64_t in = element_size(q.key.dtype), out = element_size(q.key_cache.dtype);
  const auto side = [&](const Tensor& src, const Tensor& cache, const Tensor& scale) {
    Side s{};
    s.src = src.as<const char>();
    s.src_token = src.stride[0] * in;
    s.src_head = src.stride[1] * in;
    s.dst = cache.as<char>();
    s.dst_block = cache.stride[0] * out;
    s.dst_head = cache.stride[1] * out;
    s.scale = scale.as<const float>();
    s.scale_head = scale.present() && scale.shape[0] > 1 ? scale.stride[0] : 0;
    return s;
  };
  Params p{};
  p.side[0] = side(q.key, q.key_cache, q.k_scale);
  p.side[1] = side(q.value, q.value_cache, q.v_scale);
  const int64_t per_head = q.head_dim / q.x;
  p.groups_per_head = FastDiv(static_cast<uint32_t>(per_head));
  p.groups = static_cast<uint32_t>(q.num_heads * per_head);
  p.columns = static_cast<uint32_t>(ceil_div(p.groups, kTileUnits));
  p.tokens = q.num_tokens;
  p.tiles = ceil_div(q.num_tokens, kTileTokens) * 2 * p.columns;
  p.value_runs = q.block_size * out % 16 == 0 && Alignment().add(q.value_cache, 2).bytes() == 16;
  p.slots = make_slots(ctx, q.slot_mapping, q.num_blocks, q.block_size, VKV_OP_RESHAPE_AND_CACHE);
  const bool aligned = Alignment().add(q.key, 2).add(q.value, 2).add(q.key_cache, 2).bytes() == 16;
  switch (q.key.dtype) {
    case VKV_DTYPE_F16: return launch_from<F16>(ctx, p, q.key_cache.dtype, aligned, stream);
    case VKV_DTYPE_BF16: return launch_from<BF16>(ctx, p, q.key_cache.dtype, aligned, stream);
    default: return launch_from<F32>(ctx, p, q.key_cache.dtype, aligned, stream);
  }
}

}  // namespace vkv::cuda
