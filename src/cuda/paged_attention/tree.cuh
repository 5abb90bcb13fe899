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

// How deep trees are. Many leaves spread one sequence over many warps, and each costs a fold: so many only where leaves have
// several tiles, or few KV heads leave few warps otherwise.
struct TreePolicy {
  int32_t two, three;  // tiles from which a tree has two and three levels
  int32_t leaf;        // a further one where leaves keep so many tiles

  // Measured on an H100, bf16, `three` 65 / 129: one KV head, one sequence of 2048 tokens 6.8 / 9.1 us, 32 of them
  // 17.8 / 17.4 us; 8 KV heads, one 8.5 / 9.4 us, 16 of them 52.5 / 51.2 us.
  static constexpr TreePolicy of(int64_t num_kv_heads) {
    return num_kv_heads >= 8 ? TreePolicy{16, 129, 16} : TreePolicy{16, 65, 4};
  }

#ifdef __CUDACC__
  __host__ __device__
#endif
  int depth(int32_t tiles) const {
    int depth = tiles < two ? 1 : tiles < three ? 2 : 3;
    while (depth >= 3 && depth < kMostDepth && tiles >> (2 * depth + 2) >= leaf) ++depth;
    return depth;
  }
};

// How far a sequence is cut: 4^cut CTAs for each of its row tiles and KV heads. `least` fills the GPU, `most` is what the
// launch has CTAs for, and between them no CTA walks more than `chunk_tiles`.
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

// What the accumulators of a state and of the one that follows it are multiplied with.
struct FoldFactors {
  float before, after;
};

// state = state, then next. One without tokens has max -infinity and accumulators 0, and changes nothing.
__device__ inline FoldFactors fold(SoftmaxState& state, const SoftmaxState& next) {
  const float top = fmaxf(state.max, next.max), base = fmaxf(top, -3e38f);
  const FoldFactors f = {exp2_approx(__fsub_rn(state.max, base)), exp2_approx(__fsub_rn(next.max, base))};
  state.sum = __fmaf_rn(next.sum, f.after, __fmul_rn(state.sum, f.before));
  state.max = top;
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
  static __device__ AttentionTree of(const AttentionParams& p, int32_t length, int32_t query_len, const TreePolicy& policy) {
    AttentionTree t;
    t.origin = p.oldest(length - query_len) / 16 * 16;
    t.tiles = max((length - t.origin + kTileTokens - 1) / kTileTokens, 0);
    t.depth = policy.depth(t.tiles);
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

  // Called by one thread, early, with what it saw in the word before: what somebody else left need not be met later. May be
  // left out.
  __device__ unsigned long long look(int64_t word) const { return __ldcg(words + word); }
  __device__ void prepare(int64_t word, unsigned long long seen) const {
    if (seen >> 16 != tag) atomicCAS(words + word, seen, tag << 16);
  }

  // Called by one thread after its CTA has met. True for the last of n CTAs; what the others wrote before they arrived is
  // then visible to this one, after it has met again.
  __device__ bool last(int64_t word, uint32_t n) const {
    unsigned long long* at = words + word;
    const unsigned long long fresh = tag << 16;
    unsigned long long seen;
    asm volatile("atom.acq_rel.gpu.global.add.u64 %0, [%1], 1;" : "=l"(seen) : "l"(at) : "memory");
    if (seen >> 16 != tag) {  // somebody else's word: begin, or join who began
      unsigned long long now = seen + 1;
      for (;;) {
        unsigned long long found;
        asm volatile("atom.acq_rel.gpu.global.cas.b64 %0, [%1], %2, %3;"
                     : "=l"(found)
                     : "l"(at), "l"(now), "l"(now >> 16 == tag ? now + 1 : fresh + 1)
                     : "memory");
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
