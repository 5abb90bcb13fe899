// The tree that every row's result is the root of, and the fold that makes a node of its children. Both are functions of the
// sequence alone; how CTAs divide the tree is free, so a row's bits do not depend on it.
//
// The tokens that a sequence attends to are cut into tiles at fixed positions, the tiles into 4^depth leaves of equal size
// (some may be empty). Node i of level k covers leaves [i * 4^k, (i + 1) * 4^k): the chain, in order, of its four children
// of level k - 1. A leaf is computed from scratch by one warp.
#pragma once

#include <cstdint>

#include "cuda/paged_attention/problem.cuh"
#include "cuda/primitives/mma.cuh"

namespace vkv::cuda {

constexpr int kMostDepth = 5;

// Deeper where few KV heads leave fewer CTAs otherwise.
constexpr int most_depth(int num_kv_heads) { return num_kv_heads >= 8 ? 3 : num_kv_heads >= 4 ? 4 : kMostDepth; }

// floor(log4(tiles)) in [1, most]
#ifdef __CUDACC__
__host__ __device__
#endif
inline int tree_depth(int32_t tiles, int most) {
  int depth = 1;
  while (depth < most && tiles >> (2 * depth + 2) != 0) ++depth;
  return depth;
}

// How far a sequence of `tiles` tiles is cut: 4^cut CTAs for each of its row tiles and KV heads. `least`: what the launch
// wants for filling the GPU; `most` is what it has CTAs for; no CTA walks more than kChunkTiles otherwise.
#ifdef __CUDACC__
__host__ __device__
#endif
inline int tree_cut(int32_t tiles, int depth, int least, int most, int32_t chunk_tiles) {
  int cut = least;
  while (cut < most && tiles >> (2 * cut) > chunk_tiles) ++cut;
  return cut < depth - 1 ? cut : depth - 1;
}

#ifdef __CUDACC__

// Softmax over some tokens: out = acc / sum with weights 2^(z - max). sum 0: no tokens.
struct SoftmaxState {
  float max, sum;
};

// What the accumulators of a state and of the one that follows it are multiplied with. An absent side gets -0: its
// accumulators are +0, and adding -0 changes nothing, not even the sign of a zero.
struct FoldFactors {
  float before, after;
};

// state = state, then next.
__device__ inline FoldFactors fold(SoftmaxState& state, const SoftmaxState& next) {
  const bool keep = next.sum == 0.0f, take = !keep && state.sum == 0.0f;
  const float top = fmaxf(state.max, next.max);
  FoldFactors f;
  f.before = state.max == top ? 1.0f : exp2_approx(__fsub_rn(state.max, top));
  f.after = next.max == top ? 1.0f : exp2_approx(__fsub_rn(next.max, top));
  f.before = keep ? 1.0f : take ? -0.0f : f.before;
  f.after = keep ? -0.0f : take ? 1.0f : f.after;
  const float sum = __fmaf_rn(next.sum, f.after, __fmul_rn(state.sum, f.before));
  state.sum = keep ? state.sum : take ? next.sum : sum;
  state.max = keep ? state.max : take ? next.max : top;
  return f;
}
__device__ inline float fold(float before, float after, const FoldFactors& f) {
  return __fmaf_rn(after, f.after, __fmul_rn(before, f.before));
}

// The tiles and the tree of one sequence.
struct AttentionTree {
  int32_t origin;  // position of the first tile's first token: a multiple of 16
  int32_t tiles;
  int depth;

  template <int kTileTokens>
  static __device__ AttentionTree of(const AttentionParams& p, const AttentionSequence& q, int most_depth) {
    AttentionTree t;
    t.origin = p.oldest(q.length - q.query_len) / 16 * 16;
    t.tiles = max((q.length - t.origin + kTileTokens - 1) / kTileTokens, 0);
    t.depth = tree_depth(t.tiles, most_depth);
    return t;
  }
  // First tile of a leaf; that of leaf + 1 is its end.
  __device__ int32_t first_tile(int32_t leaf) const {
    return static_cast<int32_t>((static_cast<int64_t>(leaf) * tiles) >> (2 * depth));
  }
};

// ---- arrival: which of `n` CTAs comes last
//
// The workspace is not cleared, and a captured call runs many times: a word counts only if it carries the call's own tag,
// else it is started anew. The last arriver leaves it at zero for the next run.
struct Arrivals {
  unsigned long long* words;
  uint64_t tag;  // 48 bits

  // Called by one thread. True for the last of n.
  __device__ bool last(int64_t word, uint32_t n) const {
    unsigned long long* at = words + word;
    const unsigned long long fresh = tag << 16;
    unsigned long long seen = atomicAdd(at, 1ull);
    if (seen >> 16 != tag) {  // somebody else's word: begin, or join who began
      unsigned long long now = seen + 1;
      for (;;) {
        const unsigned long long found = atomicCAS(at, now, now >> 16 == tag ? now + 1 : fresh + 1);
        if (found == now) break;
        now = found;
      }
      seen = now >> 16 == tag ? now : fresh;
    }
    const bool is_last = static_cast<uint32_t>(seen & 0xFFFF) + 1 == n;
    if (is_last) *reinterpret_cast<volatile unsigned long long*>(at) = fresh;
    return is_last;
  }
};

#endif

}  // namespace vkv::cuda
