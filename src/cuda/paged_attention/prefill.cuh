// The prefill kernel, over the two products that an architecture can offer:
//
//   struct Product {
//     using Type = PrefillF16 or PrefillBF16;
//     template <int kDims> static void scores(PrefillScores&, const uint32_t (&query)[kDims / 16][4], const char* tile);
//     template <int kDims> static void values(float (&sums)[kDims / 8][4], const PrefillWeights&, const char* tile);
//     // Until at most so many of these are under way; the registers are theirs before.
//     template <int kUnderWay, class... Registers> static void wait(Registers&...);
//     static void before_wait(float x);  // computes x, which is not negative, before the wait that follows
//     static void publish();             // what this thread has copied, before the barrier
//   };
#pragma once

#include <atomic>

#include "cuda/launch.hpp"
#include "cuda/paged_attention/prefill_softmax.cuh"
#include "cuda/policy.hpp"

namespace vkv::cuda {

struct PrefillParams {
  AttentionParams attention;
  FastDiv kv_heads;
  bool query_pieces, out_pieces, key_pieces, value_pieces;  // 16-byte accesses
};

#ifdef __CUDACC__

// One row of this CTA's tile.
struct PrefillRow {
  int64_t token;
  int32_t head, position;
};

// Grid: work items x KV heads. Block: 256. Shared memory: PrefillShared. A CTA computes 128 rows of one sequence and KV
// head, a warp 16 of them, from the first tile of tokens that some row attends to up to the last. A row meets the same
// tiles of tokens in the same order, and the same arithmetic, whichever rows stand beside it.
template <class Product, int kDims, int kStages>
__global__ void __launch_bounds__(kPrefillThreads, 1) prefill_kernel(const __grid_constant__ PrefillParams params) {
  using Type = typename Product::Type;
  using Shared = PrefillShared<kDims, kStages>;
  extern __shared__ __align__(1024) char memory[];
  Shared& shared = *reinterpret_cast<Shared*>(memory);
  const AttentionParams& p = params.attention;

  uint32_t kv;
  const uint32_t item = params.kv_heads.divide(blockIdx.x, kv);
  const PrefillWork work = find_prefill_work(p, static_cast<int32_t>(item), shared.work);
  if (work.sequence < 0) return;
  const AttentionSequence q = p.sequences.read(work.sequence, false);
  const int32_t kv_head = static_cast<int32_t>(kv), first_row = work.tile * kPrefillRows;
  const int32_t group = static_cast<int32_t>(p.group.divisor), all_rows = q.query_len * group;
  const int32_t rows = min(all_rows - first_row, kPrefillRows);
  // Rows past the last are like it.
  const auto row = [&](int32_t r) {
    uint32_t member;
    const uint32_t token = p.group.divide(static_cast<uint32_t>(first_row + min(r, rows - 1)), member);
    return PrefillRow{q.query_begin + token, kv_head * group + static_cast<int32_t>(member),
                      q.length - q.query_len + static_cast<int32_t>(token)};
  };

  const int32_t first_position = row(0).position, last_position = row(rows - 1).position;
  PrefillSpan span;
  span.begin = p.oldest(max(first_position, 0));
  span.end = last_position + 1;
  span.leave = INT64_MAX;
  if (first_row + rows < all_rows) {
    const int32_t next = static_cast<int32_t>(p.group.divide(static_cast<uint32_t>(first_row + rows)));
    span.leave = p.oldest(max(q.length - q.query_len + next, 0));
  }
  span.reports = kv_head == 0;
  const PrefillCache cache(p, work.sequence, q, kv_head, span);
  const int32_t begin = span.begin / kPrefillTokens, end = span.end <= 0 ? begin : (span.end - 1) / kPrefillTokens + 1;

  // Rows differ in the tokens that they attend to in tiles before mixed_to, for the window, and from mixed_from on.
  const int32_t oldest = p.oldest(max(last_position, 0));
  const int32_t mixed_to = span.begin == oldest ? 0 : (oldest - 1) / kPrefillTokens + 1;
  const int32_t mixed_from = first_position == last_position ? end : max(first_position + 1, 0) / kPrefillTokens;

  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const PrefillRow mine[2] = {row(16 * warp + lane / 4), row(16 * warp + lane / 4 + 8)};

  // ---- the first copies

  const auto token_of = [&](int32_t tile, int t) { return tile * kPrefillTokens + t; };
  const auto stage = [&](int32_t tile) { return static_cast<uint32_t>(tile - begin) % kStages; };
  const auto places = [&](int32_t tile) -> PrefillPlaces& {
    return shared.places[static_cast<uint32_t>(tile - begin) % (2 * kPrefillLookup)];
  };
  // All threads look up the blocks of kPrefillLookup tiles, a token each, and place those tokens some steps later.
  static_assert(kStages < kPrefillLookup, "places are there before the copies need them");
  int32_t token = token_of(begin, threadIdx.x), block = cache.block(token);
  const auto place = [&] { return cache.place(places(token / kPrefillTokens), token, block); };
  const auto look_up_next = [&] { block = cache.block(token += kPrefillThreads); };

#pragma unroll 1
  for (int i = threadIdx.x; i < kPrefillRows * kDims / 8; i += kPrefillThreads) {
    const int r = i / (kDims / 8), piece = i % (kDims / 8);
    const bool wanted = r < rows && piece * 8 < p.head_dim;
    const PrefillRow at = row(r);
    const char* from = p.query + at.token * p.query_token + at.head * p.query_head + (wanted ? piece * 16 : 0);
    char* to = shared.rows() + piece_offset<kPrefillRows>(r, piece);
    if (params.query_pieces) {
      cp_async16(shared_address(to), from, wanted ? 16 : 0);
    } else {
      for (int j = 0; j < 8; ++j) {
        reinterpret_cast<uint16_t*>(to)[j] = wanted ? __ldg(reinterpret_cast<const uint16_t*>(from) + j) : uint16_t{0};
      }
    }
  }
  cp_async_commit();

  if (place()) cache.report(token, block);
  look_up_next();
  __syncthreads();

  // Group i, from -kStages on: the keys of tile begin + i + kStages, and the values of the one before. Groups from 0 on
  // follow the barrier of step i, after which nobody reads what lay there.
  const auto load = [&](int32_t i) {
    const int32_t tile = begin + i + kStages, before = tile - 1;
    // All are read before the first copy, behind which a read would wait.
    const PrefillPlaces &keys = places(tile), &values = places(before);
    const PrefillCache::Pieces<kDims> key_pieces(keys.key, keys.present), value_pieces(values.value, values.present);
    if (tile < end) cache.load_keys(shared.keys[stage(tile)], keys, key_pieces, params.key_pieces);
    if (before >= begin && before < end) {
      cache.load_values(shared.values[stage(before)], values, value_pieces, params.value_pieces);
    }
    cp_async_commit();
  };
#pragma unroll 1
  for (int32_t i = -kStages; i < 0; ++i) load(i);

  cp_async_wait<kStages>();
  __syncthreads();
  uint32_t query[kDims / 16][4];
  const uint32_t sign = p.softmax_scale < 0 ? 0x80008000u : 0;  // logits multiply by its absolute value
#pragma unroll
  for (int k = 0; k < kDims / 16; ++k) {
    const uint32_t rows_at = shared_address(shared.rows());
    ldmatrix_x4(query[k], rows_at + piece_offset<kPrefillRows>(16 * warp + lane % 16, 2 * k + lane / 16));
#pragma unroll
    for (uint32_t& pair : query[k]) pair ^= sign;
  }

  // ---- the tiles

  PrefillScores scores;
  PrefillWeights weights;
  float sums[kDims / 8][4] = {};
  PrefillState state;
  const PrefillLogits logits(p, {mine[0].head, mine[1].head});
  const auto mixed = [&](int32_t tile) { return tile < mixed_to || tile >= mixed_from; };
  const auto attended = [&](int r, int32_t tile) {
    return attended_tokens(p, mine[r].position, token_of(tile, 0), places(tile));
  };
  // Some row does not attend to some token.
  const auto masked = [&](int32_t tile) {
    return mixed(tile) || (places(tile).present[0] & places(tile).present[1]) != 0xFFFFFFFFu;
  };
  float decay[2];
  const auto softmax = [&](int32_t tile, bool masked) {
    const int32_t column = token_of(tile, lane % 4 * 2);
    logits.transform(scores, {column - mine[0].position, column - mine[1].position});
    if (masked) {
      const uint64_t bits[2] = {attended(0, tile) >> (lane % 4 * 2), attended(1, tile) >> (lane % 4 * 2)};
      PrefillLogits::each(scores, [&](float x, int r, int c) { return (bits[r] >> c & 1) != 0 ? x : -INFINITY; });
    }
    state.add(scores, logits.factor(), decay);
  };
  // The values of this step's tile and the keys of the next one are there.
  const auto arrive = [&] {
    cp_async_wait<kStages - 2>();
    Product::publish();
    __syncthreads();
  };
  const auto rescale = [&] {
    if (!__any_sync(0xFFFFFFFFu, decay[0] != 1 || decay[1] != 1)) return;
#pragma unroll
    for (int d = 0; d < kDims / 8; ++d) {
#pragma unroll
      for (int e = 0; e < 4; ++e) sums[d][e] *= decay[e / 2];
    }
  };
  const auto take_not_finite = [&](int32_t tile) {
    if (!mixed(tile)) return;
    char* values = shared.values[stage(tile)];
    if (__syncthreads_or(any_not_finite<Type, kDims>(values)) == 0) return;
    const uint64_t bits[2] = {attended(0, tile), attended(1, tile)};
    add_not_finite<Type, kDims>(sums, weights, bits, values);
    __syncthreads();
    clear_not_finite<Type, kDims>(values);
    Product::publish();
    __syncthreads();
  };

  if (begin < end) {
    cp_async_wait<kStages - 1>();
    Product::publish();
    __syncthreads();
    Product::template scores<kDims>(scores, query, shared.keys[0]);
    Product::template wait<0>(scores, query);
    softmax(begin, masked(begin));
    pack_weights<Type>(scores, weights);

    // The next tile's scores are under way while the sums get ready, and this tile's values during the next one's softmax.
#pragma unroll 1
    for (int32_t tile = begin; tile + 1 < end; ++tile) {
      arrive();
      Product::template scores<kDims>(scores, query, shared.keys[stage(tile + 1)]);
      rescale();
      take_not_finite(tile);
      Product::template values<kDims>(sums, weights, shared.values[stage(tile)]);
      const int32_t i = tile - begin;
      bool bad = false;
      if (i % kPrefillLookup == 0) bad = place();
      if (i % kPrefillLookup == 1) look_up_next();
      const bool next_masked = masked(tile + 1);
      load(i);
      Product::template wait<1>(scores);
      softmax(tile + 1, next_masked);
      Product::before_wait(state.sum[0] + state.sum[1]);
      Product::template wait<0>(sums, weights, query);
      pack_weights<Type>(scores, weights);
      if (bad) cache.report(token, block);
    }
    arrive();
    rescale();
    take_not_finite(end - 1);
    Product::template values<kDims>(sums, weights, shared.values[stage(end - 1)]);
    Product::template wait<0>(sums);
  }

  // ---- results

  cp_async_wait<0>();
  __syncthreads();  // the stages are free
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    float top = state.max[r] * logits.factor(), total = over_quad_sum(state.sum[r]), weight = 1.0f;
    if (p.sinks != nullptr) {
      const float sink = __ldg(p.sinks + mine[r].head * p.sink_stride) * kLog2e, before = top;
      top = fmaxf(before, sink);
      const float origin = top == -INFINITY ? 0.0f : top;
      weight = exp2_approx(before - origin);
      total = __fmaf_rn(total, weight, exp2_approx(sink - origin));
    }
    const int local = 16 * warp + lane / 4 + 8 * r;
    const float factor = weight / total;
#pragma unroll
    for (int d = 0; d < kDims / 8; ++d) {
      const uint32_t pair = total == 0 ? 0 : Type::pack(sums[d][2 * r] * factor, sums[d][2 * r + 1] * factor);
      *reinterpret_cast<uint32_t*>(shared.rows() + piece_offset<kPrefillRows>(local, d) + lane % 4 * 4) = pair;
    }
    if (p.lse != nullptr && lane % 4 == 0 && local < rows) {
      p.lse[mine[r].token * p.lse_token + mine[r].head * p.lse_head] =
          total == 0 ? -INFINITY : (top + log2f(total)) * kLn2;
    }
  }
  __syncwarp();
#pragma unroll 1
  for (int i = lane; i < 16 * kDims / 8; i += 32) {
    const int r = 16 * warp + i / (kDims / 8), piece = i % (kDims / 8);
    if (r >= rows || piece * 8 >= p.head_dim) continue;
    const PrefillRow at = row(r);
    char* to = p.out + at.token * p.out_token + at.head * p.out_head + piece * 16;
    const char* from = shared.rows() + piece_offset<kPrefillRows>(r, piece);
    if (params.out_pieces) {
      *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(from);
    } else {
#pragma unroll 1
      for (int j = 0; j < 8; ++j) reinterpret_cast<uint16_t*>(to)[j] = reinterpret_cast<const uint16_t*>(from)[j];
    }
  }
}

// ---- Launch

// Over wgmma; in libraries with code for sm_90a, where VKV_HAS_SM90A is defined.
void launch_prefill_sm90(const CudaContext& ctx, const PrefillParams& params, int64_t ctas, vkv_stream stream);

// More shared memory than every kernel may have is asked for once a device.
template <class Product, int kDims, int kStages>
void launch_prefill_kernel(const CudaContext& ctx, const PrefillParams& params, int64_t ctas, vkv_stream stream) {
  constexpr int kBytes = sizeof(PrefillShared<kDims, kStages>);
  static std::atomic<uint64_t> allowed{0};
  const auto kernel = prefill_kernel<Product, kDims, kStages>;
  const uint64_t bit = ctx.device < 64 ? uint64_t{1} << ctx.device : 0;
  if ((allowed.load(std::memory_order_acquire) & bit) == 0) {
    const DeviceGuard guard(ctx.device);
    require("cudaFuncSetAttribute", cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes));
    allowed.fetch_or(bit, std::memory_order_release);
  }
  launch(ctx, kernel, ctas, kPrefillThreads, kBytes, stream, params);
}

#endif

}  // namespace vkv::cuda
