// Which part of which sequence a CTA computes.
//
// Small batches are divided by all of their lengths: each CTA reads them, and all choose the same cut of each sequence and
// the same order of parts, so no CTA is without work but the last ones, and none has much more than the others. Others are
// cut by their own length: each has CTAs for as many parts as the longest could have.
#pragma once

#include "cuda/paged_attention/tree.cuh"
#include "cuda/primitives/cluster.cuh"

namespace vkv::cuda {

constexpr int kMostBalanced = 256;  // sequences

// How the launch divides its work. An item is a part of some sequence; it has a CTA for each row tile and KV head.
struct WorkPolicy {
  int32_t items;
  bool balanced;                             // by all lengths
  bool clustered;                            // four neighbouring parts are a cluster
  int32_t least_cut, most_cut, chunk_tiles;  // else
  // What balance() knows of the GPU. Work is counted in tiles of one CTA that has a multiprocessor for itself.
  float units;    // CTAs of an item
  float slots;    // CTAs at a time
  float streams;  // CTAs whose reading is all that the memory can give
};

#ifdef __CUDACC__

struct DecodeWork {
  int32_t sequence;  // negative: none
  int32_t part;
  int32_t first;  // the item of the sequence's first part; the others follow
  int cut;        // negative: not known yet

  __device__ int cut_of(const AttentionTree& tree, const WorkPolicy& policy) const {
    if (cut >= 0) return cut;
    return tree_cut(tree.tiles, tree.depth, policy.least_cut, policy.most_cut, policy.chunk_tiles);
  }
};

// The cut of a sequence whose parts should have no more than about 2^chunk tiles.
__device__ inline int balanced_cut(uint32_t tiles, int deepest, int chunk) {
  const int size = tiles > 1 ? 32 - __clz(static_cast<int>(tiles - 1)) : 0;
  return min(max(size - chunk + 1, 0) / 2, deepest);
}

// The sum and the maximum over the CTA; `slots`: shared memory of this use alone.
struct BalanceTotals {
  uint32_t sum, most;
};
constexpr int kBalanceWarps = 4;
__device__ inline void offer(BalanceTotals* slots, uint32_t add, uint32_t most) {
  add = __reduce_add_sync(0xFFFFFFFFu, add);
  most = __reduce_max_sync(0xFFFFFFFFu, most);
  if (threadIdx.x % 32 == 0) slots[threadIdx.x / 32] = {add, most};
}
__device__ inline BalanceTotals total(const BalanceTotals* slots) {
  BalanceTotals all = slots[0];
#pragma unroll
  for (int w = 1; w < kBalanceWarps; ++w) all = {all.sum + slots[w].sum, max(all.most, slots[w].most)};
  return all;
}

// Called by the whole CTA, and out of line: it is large and runs once.
template <int kTileTokens>
__device__ __noinline__ DecodeWork balance(const AttentionParams& p, const TreePolicy& tree, const WorkPolicy& policy, int32_t item) {
  // What a part costs beside its tiles; how much of the longest one is left when the GPU runs out of others; by how much the
  // last of equal CTAs is behind. From measurements on H100 and H200 of batches of equal and of spread lengths.
  constexpr float kPerPart = 10.0f, kTail = 0.3f, kSpread = 1.1f;
  constexpr int kThreads = 32 * kBalanceWarps, kEach = kMostBalanced / kThreads, kChunks = 5, kClasses = 4;
  __shared__ BalanceTotals whole[kBalanceWarps], chunks[kChunks][kBalanceWarps];
  __shared__ int32_t classes[kClasses][kBalanceWarps];
  __shared__ DecodeWork found;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;

  AttentionSequences::Stored stored[kEach] = {};
  uint32_t tiles[kEach] = {}, all = 0, longest = 0;
  int deepest[kEach] = {};
  const auto mine = [&](int i) { return i * kThreads + thread < p.num_seqs; };
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    if (mine(i)) stored[i] = p.sequences.load(i * kThreads + thread);
  }
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    if (!mine(i)) continue;
    AttentionSequence q;
    p.sequences.read_length(q, i * kThreads + thread, stored[i], false);
    const AttentionTree t = AttentionTree::of<kTileTokens>(p, q.length, 1, tree);
    tiles[i] = static_cast<uint32_t>(t.tiles);
    deepest[i] = t.depth - 1;
    all += tiles[i];
    longest = max(longest, tiles[i]);
  }
  offer(whole, all, longest);
  __syncthreads();
  longest = total(whole).most;

  // Uncut, or in parts of some power of two near the one that balances what parts and the tail cost.
  const float work = static_cast<float>(total(whole).sum) * policy.units, least = work / policy.streams;
  const int first_chunk = static_cast<int>(__log2f(work * (kPerPart / kTail) / policy.slots + 1.0f) * 0.5f) - 1;
#pragma unroll
  for (int c = 0; c < kChunks; ++c) {
    uint32_t parts = 0, most = 0;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int cut = balanced_cut(tiles[i], deepest[i], first_chunk + c);
      parts += mine(i) ? 1u << (2 * cut) : 0;
      most = max(most, tiles[i] >> (2 * cut));
    }
    offer(chunks[c], parts, most);
  }
  __syncthreads();
  const auto cost = [&](uint32_t parts, uint32_t most) {
    const float ctas = static_cast<float>(parts) * policy.units, last = static_cast<float>(most);
    if (ctas <= policy.slots) return kSpread * fmaxf(least, last) + kPerPart;
    return least + kPerPart * ctas / policy.slots + kTail * last;
  };
  int chunk = 31;
  float best = cost(static_cast<uint32_t>(p.num_seqs), longest);
#pragma unroll
  for (int c = kChunks - 1; c >= 0; --c) {
    const BalanceTotals now = total(chunks[c]);
    if (now.sum > static_cast<uint32_t>(policy.items) || cost(now.sum, now.most) >= best) continue;
    best = cost(now.sum, now.most);
    chunk = first_chunk + c;
    longest = now.most;
  }

  // Larger parts first, in classes of a factor of 2.
  int cut[kEach], below[kEach];
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    cut[i] = balanced_cut(tiles[i], deepest[i], chunk);
    const int smaller = __clz(static_cast<int>(tiles[i] >> (2 * cut[i]) | 1)) - __clz(static_cast<int>(longest | 1));
    below[i] = mine(i) ? min(smaller, kClasses - 1) : kClasses;
  }
  const auto parts_in = [&](int c, int i) { return below[i] == c ? 1 << (2 * cut[i]) : 0; };
#pragma unroll
  for (int c = 0; c < kClasses; ++c) {
    int32_t parts = 0;
#pragma unroll
    for (int i = 0; i < kEach; ++i) parts += parts_in(c, i);
    parts = __reduce_add_sync(0xFFFFFFFFu, parts);
    if (lane == 0) classes[c][warp] = parts;
  }
  if (thread == 0) found.sequence = -1;
  __syncthreads();
  int32_t first = 0;
#pragma unroll 1
  for (int c = 0; c < kClasses; ++c) {
#pragma unroll 1
    for (int w = 0; w < kBalanceWarps; ++w) {
      const int32_t parts = classes[c][w];
      if (w == warp && item >= first && item < first + parts) {
        int32_t own = 0;
#pragma unroll
        for (int i = 0; i < kEach; ++i) own += parts_in(c, i);
        int32_t until = own;  // parts of this lane and those before
#pragma unroll
        for (int delta = 1; delta < 32; delta *= 2) {
          const int32_t other = __shfl_up_sync(0xFFFFFFFFu, until, delta);
          if (lane >= delta) until += other;
        }
        int32_t begin = first + until - own;
#pragma unroll
        for (int i = 0; i < kEach; ++i) {
          const int32_t end = begin + parts_in(c, i);
          if (item >= begin && item < end) found = {i * kThreads + thread, item - begin, begin, cut[i]};
          begin = end;
        }
      }
      first += parts;
    }
  }
  __syncthreads();
  return found;
}

// Called by the whole CTA. `item`: its own, or its cluster's.
template <int kTileTokens>
__device__ DecodeWork find_work(const AttentionParams& p, const TreePolicy& tree, const WorkPolicy& policy, const FastDiv& seqs,
                                uint32_t item) {
  uint32_t s;
  if (policy.balanced) {
    const uint32_t turn = seqs.divide(blockIdx.x, s);
    p.pages.prefetch_turn(static_cast<int32_t>(s), turn);
    return balance<kTileTokens>(p, tree, policy, static_cast<int32_t>(item));
  }
  // Later parts first: only long sequences have them.
  auto part = static_cast<int32_t>((1u << (2 * (policy.most_cut - (policy.clustered ? 1 : 0)))) - 1 - seqs.divide(item, s));
  if (policy.clustered) part = part * kClusterCtas + static_cast<int32_t>(blockIdx.x % kClusterCtas);
  return {static_cast<int32_t>(s), part, static_cast<int32_t>(s << (2 * policy.most_cut)), -1};
}

#endif

}  // namespace vkv::cuda
