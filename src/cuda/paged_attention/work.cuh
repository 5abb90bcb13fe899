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
constexpr int kBalanceWarps = 4;    // of a CTA

// How the launch divides its work. An item is a part of some sequence; it has a CTA for each row tile and KV head.
struct WorkPolicy {
  int32_t items;
  bool balanced;                             // by all lengths
  int32_t cluster_levels;                    // 4^cluster_levels neighbouring parts are a cluster; 0 to 2
  int32_t least_cut, most_cut, chunk_tiles;  // else
  // What balance() knows of the GPU and the cache. Work is counted in tiles of one CTA that has a multiprocessor for itself.
  float units;         // CTAs of an item
  float slots, turns;  // CTAs at a time; its inverse
  float memory;        // the inverse of how many CTAs' reading is all that the memory can give
  float per_part;      // what a part costs beside its tiles
  float tail;          // how much of the longest part is left when the GPU runs out of others
};

#ifdef __CUDACC__

struct DecodeWork {
  int32_t sequence;  // negative: none
  int32_t part;
  int32_t first;  // the item of the sequence's first part; the others follow
  int cut;        // negative: not known yet
  AttentionSequences::Stored stored;  // of its length

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

// Who balances: all warps of a CTA together, or each for itself, which takes no barriers. Their sums and maxima; `slots`: shared
// memory of this use alone.
struct BalanceTotals {
  uint32_t sum, most;
};
template <int kWarps>
struct BalanceCrew {
  static __device__ int thread() { return static_cast<int>(kWarps == 1 ? threadIdx.x % 32 : threadIdx.x); }
  static __device__ void meet() {
    if (kWarps > 1) __syncthreads();
  }
  // The warp's, which total() makes the crew's after it has met.
  static __device__ BalanceTotals offer(BalanceTotals* slots, uint32_t add, uint32_t most) {
    const BalanceTotals warp = {__reduce_add_sync(0xFFFFFFFFu, add), __reduce_max_sync(0xFFFFFFFFu, most)};
    if (kWarps > 1 && threadIdx.x % 32 == 0) slots[threadIdx.x / 32] = warp;
    return warp;
  }
  static __device__ BalanceTotals total(const BalanceTotals* slots, const BalanceTotals& warp) {
    if (kWarps == 1) return warp;
    BalanceTotals all = slots[0];
#pragma unroll
    for (int w = 1; w < kWarps; ++w) all = {all.sum + slots[w].sum, max(all.most, slots[w].most)};
    return all;
  }
};

// Up to 32 * kWarps * kEach sequences. Inlined, as it then reads parameters as constants.
template <int kTileTokens, int kWarps, int kEach>
__device__ __forceinline__ DecodeWork balance(const AttentionParams& p, const TreePolicy& tree, const WorkPolicy& policy, int32_t item) {
  constexpr float kSpread = 1.1f;  // by how much the last of equal CTAs is behind
  constexpr int kThreads = 32 * kWarps, kChunks = 5, kClasses = 4;
  using Crew = BalanceCrew<kWarps>;
  __shared__ BalanceTotals whole[kWarps], chunks[kChunks][kWarps];
  __shared__ uint64_t classes[kWarps];
  __shared__ DecodeWork found;
  const int thread = Crew::thread(), lane = thread % 32, warp = thread / 32;

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
  BalanceTotals total = Crew::offer(whole, all, longest);
  Crew::meet();
  total = Crew::total(whole, total);
  longest = total.most;

  const float work = static_cast<float>(total.sum) * policy.units, least = work * policy.memory;
  const auto cost = [&](uint32_t parts, uint32_t most) {
    const float ctas = static_cast<float>(parts) * policy.units, last = static_cast<float>(most);
    if (ctas <= policy.slots) return kSpread * fmaxf(least, last) + policy.per_part;
    return least + policy.per_part * ctas * policy.turns + policy.tail * last;
  };
  const auto sequences = static_cast<uint32_t>(p.num_seqs);
  const float uncut = cost(sequences, longest);
  // Of equal lengths further cuts are no better than the first. Then sequences are items, in their order.
  if (total.sum == sequences * longest && uncut <= cost(4 * sequences, longest / 4)) {
    if (item >= p.num_seqs) return {-1, 0, 0, 0, {}};
    return {item, 0, item, 0, p.sequences.load(item)};
  }

  // Uncut, or in parts of some power of two near the one that balances what parts and the tail cost.
  const int first_chunk = static_cast<int>(__log2f(work * (policy.per_part / policy.tail) * policy.turns + 1.0f) * 0.5f) - 1;
  BalanceTotals options[kChunks];
#pragma unroll
  for (int c = 0; c < kChunks; ++c) {
    uint32_t parts = 0, most = 0;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int cut = balanced_cut(tiles[i], deepest[i], first_chunk + c);
      parts += mine(i) ? 1u << (2 * cut) : 0;
      most = max(most, tiles[i] >> (2 * cut));
    }
    options[c] = Crew::offer(chunks[c], parts, most);
  }
  Crew::meet();
  int chunk = 31;
  float best = uncut;
#pragma unroll
  for (int c = kChunks - 1; c >= 0; --c) {
    const BalanceTotals now = Crew::total(chunks[c], options[c]);
    if (now.sum > static_cast<uint32_t>(policy.items) || cost(now.sum, now.most) >= best) continue;
    best = cost(now.sum, now.most);
    chunk = first_chunk + c;
    longest = now.most;
  }

  // Larger parts first, in classes of a factor of 2; within one, by the threads of their sequences. Parts of the classes are
  // counted in 16 bits each.
  int cut[kEach], at[kEach];
  uint64_t own = 0;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    cut[i] = balanced_cut(tiles[i], deepest[i], chunk);
    const int smaller = __clz(static_cast<int>(tiles[i] >> (2 * cut[i]) | 1)) - __clz(static_cast<int>(longest | 1));
    at[i] = 16 * min(smaller, kClasses - 1);
    if (mine(i)) own += uint64_t{1} << (2 * cut[i] + at[i]);
  }
  uint64_t until = own;
#pragma unroll
  for (int delta = 1; delta < 32; delta *= 2) {
    const uint64_t other = __shfl_up_sync(0xFFFFFFFFu, static_cast<unsigned long long>(until), delta);
    if (lane >= delta) until += other;
  }
  uint64_t before = until - own, parts = __shfl_sync(0xFFFFFFFFu, static_cast<unsigned long long>(until), 31);
  if (kWarps > 1) {
    if (lane == 0) classes[warp] = parts;
    if (thread == 0) found.sequence = -1;
    __syncthreads();
    parts = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      if (w < warp) before += classes[w];
      parts += classes[w];
    }
  }
  parts = (parts << 16) + (parts << 32) + (parts << 48);  // of the classes before each
  DecodeWork work_of = {-1, 0, 0, 0, {}};
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const auto begin = static_cast<int32_t>((parts + before) >> at[i] & 0xFFFF), count = 1 << (2 * cut[i]);
    if (mine(i) && item >= begin && item < begin + count) work_of = {i * kThreads + thread, item - begin, begin, cut[i], stored[i]};
    before += uint64_t{1} << (2 * cut[i] + at[i]);
  }
  if (kWarps > 1) {
    if (work_of.sequence >= 0) found = work_of;
    __syncthreads();
    return found;
  }
  const uint32_t who = __ballot_sync(0xFFFFFFFFu, work_of.sequence >= 0);
  if (who == 0) return {-1, 0, 0, 0, {}};
  const int from = __ffs(static_cast<int>(who)) - 1;
  const auto of = [&](int32_t x) { return __shfl_sync(0xFFFFFFFFu, x, from); };
  return {from, of(work_of.part), of(work_of.first), of(work_of.cut),
          {of(work_of.stored.length), of(work_of.stored.begin), of(work_of.stored.end)}};
}

// Called by the whole CTA. `item`: its own, or its cluster's.
template <int kTileTokens>
__device__ DecodeWork find_work(const AttentionParams& p, const TreePolicy& tree, const WorkPolicy& policy, const FastDiv& seqs,
                                uint32_t item) {
  uint32_t s;
  if (policy.balanced) {
    const uint32_t turn = seqs.divide(blockIdx.x, s);
    p.pages.prefetch_turn(static_cast<int32_t>(s), turn);
    if (p.num_seqs <= 32) return balance<kTileTokens, 1, 1>(p, tree, policy, static_cast<int32_t>(item));
    return balance<kTileTokens, kBalanceWarps, kMostBalanced / (32 * kBalanceWarps)>(p, tree, policy, static_cast<int32_t>(item));
  }
  // Later parts first: only long sequences have them.
  auto part = static_cast<int32_t>((1u << (2 * (policy.most_cut - policy.cluster_levels))) - 1 - seqs.divide(item, s));
  part = (part << (2 * policy.cluster_levels)) + static_cast<int32_t>(blockIdx.x & ((1u << (2 * policy.cluster_levels)) - 1));
  return {static_cast<int32_t>(s), part, static_cast<int32_t>(s << (2 * policy.most_cut)), -1,
          p.sequences.load(static_cast<int32_t>(s))};
}

#endif

}  // namespace vkv::cuda
