// Paged attention for few query rows at a time, float16 and bfloat16 queries.
//
// Grid: for each part of the tree, sequence, row tile and KV head a CTA; KV heads are neighbours, so that the heads of a block
// are read at about the same time. CTA: four warps. It computes one node of the sequence's tree for up to 8 * kRowTiles rows
// (query token, query head of the group): each warp computes leaves from its own ring of tiles, nothing shared but the folds.
// The last CTA to arrive folds the parts.
#pragma once

#include <type_traits>

#include "cuda/paged_attention/decode_warp.cuh"

namespace vkv::cuda {

#ifdef __CUDACC__

// Shared memory of a CTA.
template <class Kind, int kDim, int kRowTiles>
struct DecodeShared {
  static constexpr int kRows = 8 * kRowTiles;
  static constexpr int kPitch = kDim + 4;  // floats from row to row: other banks
  using Part = Node<kDim, kRows, 32 * kDecodeWarps>;
  using Share = Node<kDim, kRows, 32 * kDecodeWarps, kFinishers>;  // a cluster's CTA finishes a quarter of the rows
  using Parts = Exchange<Part, Share>;
  static constexpr int kFixed = kDecodeWarps * kRows * (kPitch * 4 + 8);
  static constexpr int kStage = kDecodeWarps * 2 * TileLoader<Kind, kDim, false>::kSide;

  static constexpr int bytes(int stages) { return kFixed + stages * (kStage + kDecodeWarps * 4); }

  char* ring;
  Parts exchange;
  float* slots;          // [warps][rows][kPitch]
  SoftmaxState* states;  // [warps][rows]
  uint32_t* masks;       // [warps][stages]

  __device__ DecodeShared(char* base, int stages) {
    ring = base;
    slots = reinterpret_cast<float*>(ring + stages * kStage);
    states = reinterpret_cast<SoftmaxState*>(slots + kDecodeWarps * kRows * kPitch);
    masks = reinterpret_cast<uint32_t*>(states + kDecodeWarps * kRows);
    exchange = {reinterpret_cast<const char*>(masks + kDecodeWarps * stages)};
  }
};

// ---- the kernel

// Until the oldest of the ring's groups, two a stage, is there.
template <int kStages>
__device__ void wait_for_stage() {
  cp_async_wait<2 * kStages - 1>();
  __syncwarp();
}
__device__ inline void wait_for_stage(int stages) {
  static_assert(kMostStages == 4, "a case for each");
  if (stages == 1) wait_for_stage<1>();
  else if (stages == 2) wait_for_stage<2>();
  else wait_for_stage<4>();
}

template <class Kind, int kDim, int kRowTiles, bool kXPacked>
__global__ void __launch_bounds__(32 * kDecodeWarps, decode_ctas(kDim, kRowTiles))
    decode_kernel(const __grid_constant__ DecodeParams params) {
  constexpr int kTokens = Kind::tile_tokens, kRows = 8 * kRowTiles;
  using Shared = DecodeShared<Kind, kDim, kRowTiles>;
  using Loader = TileLoader<Kind, kDim, kXPacked>;
  using Attention = WarpAttention<Kind, kDim, kRowTiles, kXPacked>;
  extern __shared__ __align__(128) char memory[];
  const AttentionParams& p = params.attention;
  const int stages = params.loader.stages;
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);

  uint32_t head, row_tile;
  const uint32_t turn = blockIdx.x >> (2 * params.work.cluster_levels);
  const uint32_t item = params.row_tiles_div.divide(params.kv_heads_div.divide(turn, head), row_tile);
  const DecodeWork work = find_work<kTokens>(p, params.tree, params.work, params.seqs_div, item);
  if (work.sequence < 0) return;
  const int32_t s = work.sequence, part = work.part;

  const bool reports = head == 0 && row_tile == 0 && part == 0 && warp == 0;
  AttentionSequence q = {};
  if (!params.work.balanced) p.pages.prefetch_part(s, part, 2 * params.work.most_cut);
  p.sequences.read_queries(q, s, reports);
  const int32_t rows = q.query_len * static_cast<int32_t>(p.group.divisor);
  const auto first_row = static_cast<int32_t>(row_tile * kRows);
  const bool absent = first_row >= rows || q.query_len > params.longest_query;

  // What needs no length.
  const Shared shared(memory, stages);
  char* ring = shared.ring + warp * stages * 2 * Loader::kSide;
  Loader loader(p, params.loader, s, static_cast<int32_t>(head), head == 0, ring, shared.masks + warp * stages);
  Attention attention(p, first_row, rows, static_cast<int32_t>(head));
  attention.prefetch_query(q);
  const auto first_token = static_cast<int32_t>(p.group.divide(static_cast<uint32_t>(first_row)));
  const auto last_token = static_cast<int32_t>(p.group.divide(static_cast<uint32_t>(min(first_row + kRows, rows) - 1)));

  p.sequences.read_length(q, s, work.stored, reports);
  const AttentionTree tree = AttentionTree::of<kTokens>(p, q.length, q.query_len, params.tree);
  const int cut = work.cut_of(tree, params.work);
  if (absent || part >> (2 * cut) != 0) return;

  // Tokens that some row of this tile sees, and the rows' positions.
  const int32_t first_position = q.length - q.query_len + first_token, last_position = q.length - q.query_len + last_token;
  const int32_t low = p.oldest(first_position), high = last_position + 1;
  const int32_t low_tile = max(low - tree.origin, 0) / kTokens, high_tile = max(high - tree.origin + kTokens - 1, 0) / kTokens;

  // This CTA's node is of level `level`, its warps' nodes one below; a warp's leaves are neighbours.
  const int level = tree.depth - cut, leaves = 1 << (2 * level - 2);
  const int32_t first_leaf = (part << (2 * level)) + warp * leaves;
  const auto leaf_begin = [&](int leaf) { return min(max(tree.first_tile(first_leaf + leaf), low_tile), high_tile); };
  int32_t tile = leaf_begin(0);
  loader.begin(q, tree.origin, low, high, tile, leaf_begin(leaves));
  loader.next();
  constexpr uint32_t kScalesAt = kTokens * Loader::kRow;  // NVFP4: scales lie behind the numbers
  if (p.head_dim < kDim) {  // dims past the head are never copied
    for (int i = lane * 16; i < stages * 2 * Loader::kSide; i += 512) *reinterpret_cast<uint4*>(ring + i) = {};
    __syncwarp();
  }
  attention.request_query(params);  // while block ids are on their way; behind K and V it would wait for them
#pragma unroll 1
  for (int i = 0; i < stages; ++i) {
    loader.request_key(i);
    loader.request_value(i);
    loader.next();
  }

  const int64_t first_part = (static_cast<int64_t>(row_tile) * p.num_kv_heads + head) * params.work.items + work.first;
  // Where a sequence has fewer parts than a cluster has CTAs, the others have left.
  const int levels = kHasClusters ? min(params.work.cluster_levels, cut) : 0;
  const Meetings meetings = {first_part, part, levels};
  const bool prepares = cut > meetings.prepares() && threadIdx.x == 0;
  const unsigned long long word = prepares ? params.arrivals.look(first_part + part) : 0;

  // Whole tiles that take the short way: all rows see all of them.
  const bool plain = attention.plain() && !p.swizzled_v, same = first_position == last_position;
  const int32_t plain_begin = plain && !same ? max(p.oldest(last_position) - tree.origin + kTokens - 1, 0) / kTokens : 0;
  const int32_t plain_end = !plain ? 0 : same ? high_tile : max(first_position + 1 - tree.origin, 0) / kTokens;

  if (levels > 0) {
    if (warp == 0) shared.exchange.open(levels);
    cluster_arrive();
  }
  const float value_scale = p.value_scale(static_cast<int32_t>(head)) * Kind::gain;
  attention.prepare(params, q.length - q.query_len);
  if (prepares) params.arrivals.prepare(first_part + part, word);
  float* slot = shared.slots + warp * kRows * Shared::kPitch;
  SoftmaxState* states = shared.states + warp * kRows;
  // Levels of the tree: a leaf, where there is room a chain of four in registers, the slot, and above[0], above[1] ...
  constexpr int kChains = Attention::kChains ? 1 : 0;
  typename Attention::Sums chain, above[kMostDepth - 2 - kChains];
  bool chained = false;  // the chain holds something
  uint32_t begun = 0;    // bit 0: the slot does; bit k: above[k - 1] does
  int at = 0;            // place of the tile at hand
  // Tiles that take the short way. The number of places is known, as branches take longer than most of what is here.
  const auto walk = [&](auto places, int32_t until) {
    constexpr int kPlaces = decltype(places)::value;
#pragma unroll 1
    do {
      wait_for_stage<kPlaces>();
      attention.keys(loader.key_tile(at), loader.key_tile(at) + kScalesAt);
      __syncwarp();
      loader.template request_whole<false>(at);
      attention.template weights<true>(0, 0, false);
      wait_for_stage<kPlaces>();
      attention.values(loader.value_tile(at), loader.value_tile(at) + kScalesAt);
      __syncwarp();
      loader.template request_whole<true>(at);
      loader.next_whole();
      at = (at + 1) % kPlaces;
    } while (++tile < until);
  };
#pragma unroll 1
  for (int leaf = 0; leaf < leaves; ++leaf) {
    const int32_t end = leaf_begin(leaf + 1);
    if (tile < end) {
      attention.begin_leaf();
#pragma unroll 1
      while (tile < end) {
        const int32_t until = tile < plain_begin ? tile : min(min(end, plain_end), loader.whole_until(tile));
        if (tile < until) {
          if (stages == 1) walk(std::integral_constant<int, 1>(), until);
          else if (stages == 2) walk(std::integral_constant<int, 2>(), until);
          else walk(std::integral_constant<int, kMostStages>(), until);
          loader.settle();
          continue;
        }
        wait_for_stage(stages);
        const uint32_t mask = loader.mask(at);
        attention.keys(loader.key_tile(at), loader.key_tile(at) + kScalesAt);
        __syncwarp();
        loader.leave(at, mask);
        loader.request_key(at);
        const int32_t position = tree.origin + tile * kTokens;
        const bool edge = position + kTokens - 1 > first_position || position < p.oldest(last_position);
        const bool mixed = (edge && last_position != first_position) || p.sparse.vert_stride > 1;
        attention.template weights<false>(position, mask, mixed);
        wait_for_stage(stages);
        const uint32_t scales = loader.value_tile(at) + kScalesAt;
        if constexpr (Kind::template scale_bytes<kDim> != 0) {
          if (p.swizzled_v) unswizzle_scales<Kind, kDim>(scales, mask, p.head_dim / 16);
        }
        if (mixed) attention.set_not_finite_apart(Kind::template scale_bytes<kDim> != 0 ? scales : loader.value_tile(at), position);
        attention.values(loader.value_tile(at), scales);
        __syncwarp();
        loader.request_value(at);
        loader.next();
        at = at + 1 == stages ? 0 : at + 1;
        ++tile;
      }
      if constexpr (Attention::kChains) {
        if (chained) Attention::append(chain, attention.leaf());
        else chain = attention.leaf();
        chained = true;
      } else {
        attention.put(attention.leaf(), slot, states, Shared::kPitch, (begun & 1) == 0);
        begun |= 1;
      }
    }
    // The fourth child ends a node, which is then a child itself.
    if constexpr (Attention::kChains) {
      if ((leaf & 3) != 3 && leaf + 1 < leaves) continue;
      if (chained) {
        attention.put(chain, slot, states, Shared::kPitch, (begun & 1) == 0);
        begun |= 1;
        chained = false;
      }
    }
    const int child = leaf >> (2 * kChains);
    if (level < 3 + kChains || (child & 3) != 3) continue;
#pragma unroll 1
    for (int k = 0; k < level - 2 - kChains; ++k) {
      if ((begun & 1) != 0) attention.climb(above[k], slot, states, Shared::kPitch, (begun >> (k + 1) & 1) == 0);
      begun = (begun | (begun & 1) << (k + 1)) & ~1u;
      if ((child >> (2 * k + 2) & 3) != 3) break;
      if ((begun >> (k + 1) & 1) != 0) attention.land(above[k], slot, states, Shared::kPitch);
      begun = (begun | (begun >> (k + 1) & 1)) & ~(2u << k);
    }
  }
  if (begun == 0) {
    for (int i = lane; i < kRows * Shared::kPitch; i += 32) slot[i] = 0.0f;
    if (lane < kRows) states[lane] = {-__builtin_huge_valf(), 0.0f};
  }
  __syncthreads();
  typename Shared::Part node;
  node.gather(shared.slots, shared.states, Shared::kPitch);
  if (levels > 0) {
    const int rank = meetings.share();
    cluster_wait();
    shared.exchange.send(node, rank, rows - first_row);
    if (rank >= kFinishers || first_row + rank * Shared::Parts::kShareRows >= rows) return;
    typename Shared::Share share;
    share.share = rank;
    shared.exchange.receive(share, levels);
    if (fold_parts(share, params.arrivals, params.partials, meetings, cut)) {
      share.finish(p, q, first_row, rows, static_cast<int32_t>(head), value_scale, params.vector_out);
    }
    return;
  }
  if (cut > 0 && !fold_parts(node, params.arrivals, params.partials, meetings, cut)) return;
  node.finish(p, q, first_row, rows, static_cast<int32_t>(head), value_scale, params.vector_out);
}

#endif

}  // namespace vkv::cuda
