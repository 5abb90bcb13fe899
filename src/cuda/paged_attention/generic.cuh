// Paged attention in float32 from one end to the other, without tensor cores: whatever the decode kernel does not
// serve.
//
// Grid, tree and folds are the decode kernel's: a CTA computes one node of the sequence's tree for 8 rows (query token,
// query head of the group), each of its warps computes leaves. Numbers of the cache are read where they lie.
#pragma once

#include "cuda/paged_attention/generic_warp.cuh"

namespace vkv::cuda {

#ifdef __CUDACC__

// ---- rows

__device__ inline float query_number(const AttentionParams& p, const char* row, int d) {
  switch (p.query_dtype) {
    case VKV_DTYPE_F16: return F16::decode(__ldg(reinterpret_cast<const __half*>(row) + d));
    case VKV_DTYPE_BF16: return BF16::decode(__ldg(reinterpret_cast<const __nv_bfloat16*>(row) + d));
    default: return __ldg(reinterpret_cast<const float*>(row) + d);
  }
}

// Fills shared memory with the query and what its rows see. Called by the CTA; ends with a barrier.
template <int kDim>
__device__ void load_rows(const AttentionParams& p, const AttentionSequence& q, const GenericSpan& span,
                          GenericShared<kDim>& shared) {
  constexpr float kLog2e = 1.44269504088896340736f;
#pragma unroll 1
  for (int r = 0; r < kGenericRows; ++r) {
    const int32_t row = span.first_row + r;
    uint32_t in_group;
    const auto token = static_cast<int32_t>(p.group.divide(static_cast<uint32_t>(row), in_group));
    const int64_t head = span.head * static_cast<int64_t>(p.group.divisor) + in_group;
    const bool there = row < span.rows;
    const char* from = p.query + (q.query_begin + token) * p.query_token + head * p.query_head;
    for (int d = static_cast<int>(threadIdx.x); d < kDim; d += 32 * kDecodeWarps) {
      shared.query[r][d] = there && d < p.head_dim ? query_number(p, from, d) : 0.0f;
    }
    if (static_cast<int>(threadIdx.x) != r) continue;
    GenericRow seen = {-1, 0, 0, 0.0f};
    if (there) {
      seen.position = q.length - q.query_len + token;
      seen.oldest = p.oldest(seen.position);
      if (p.sparse.vert_stride > 1) seen.sparse = p.sparse.offset(static_cast<int32_t>(head), span.head);
      if (p.alibi_slopes != nullptr) seen.slope = __ldg(p.alibi_slopes + head * p.alibi_stride) * kLog2e;
    }
    shared.rows[r] = seen;
  }
  __syncthreads();
}

// ---- the kernel

// CTAs of a multiprocessor that registers are kept for.
constexpr int generic_ctas(int dim) { return dim <= 256 ? 3 : 2; }

template <int kDim>
__global__ void __launch_bounds__(32 * kDecodeWarps, generic_ctas(kDim))
    generic_kernel(const __grid_constant__ DecodeParams params) {
  constexpr int kTokens = kGenericTokens, kRows = kGenericRows;
  using Part = Node<kDim, kRows, 32 * kDecodeWarps>;
  extern __shared__ __align__(128) char memory[];
  auto& shared = *reinterpret_cast<GenericShared<kDim>*>(memory);
  const AttentionParams& p = params.attention;
  const int warp = static_cast<int>(threadIdx.x / 32);

  uint32_t head, row_tile;
  const uint32_t item = params.row_tiles_div.divide(params.kv_heads_div.divide(blockIdx.x, head), row_tile);
  const DecodeWork work = find_work<kTokens>(p, params.tree, params.work, params.seqs_div, item);
  if (work.sequence < 0) return;
  const int32_t s = work.sequence, part = work.part;

  const bool reports = head == 0 && row_tile == 0 && part == 0 && warp == 0;
  const AttentionSequence q = p.sequences.read(s, reports);
  const int32_t rows = q.query_len * static_cast<int32_t>(p.group.divisor);
  const auto first_row = static_cast<int32_t>(row_tile * kRows);
  if (first_row >= rows || q.query_len > params.longest_query) return;
  const AttentionTree tree = AttentionTree::of<kTokens>(p, q.length, q.query_len, params.tree);
  const int cut = work.cut_of(tree, params.work);
  if (part >> (2 * cut) != 0) return;

  const auto position = [&](int32_t row) {
    return q.length - q.query_len + static_cast<int32_t>(p.group.divide(static_cast<uint32_t>(row)));
  };
  GenericSpan span = {s, static_cast<int32_t>(head), first_row, rows, 0, 0, -1};
  span.low = p.oldest(position(first_row));
  span.high = position(min(first_row + kRows, rows) - 1) + 1;
  if (first_row > 0) span.seen = position(first_row - 1);
  const int32_t low_tile = max(span.low - tree.origin, 0) / kTokens;
  const int32_t high_tile = max(span.high - tree.origin + kTokens - 1, 0) / kTokens;
  load_rows(p, q, span, shared);

  // This CTA's node: of level `level`, cut into rounds; in a round each warp has one or four leaves.
  const int level = tree.depth - cut;
  const int rounds = level >= 2 ? 1 << (2 * level - 4) : 1, leaves = level >= 2 ? 4 : 1;
  const int32_t first_leaf = part << (2 * level);
  const auto leaf_begin = [&](int round, int leaf) {
    return min(max(tree.first_tile(first_leaf + (round * kDecodeWarps + warp) * leaves + leaf), low_tile), high_tile);
  };
  GenericWarp<kDim> attention(params, q, span, shared);
  Part node, upper[kMostDepth - 2];
#pragma unroll 1
  for (int round = 0; round < rounds; ++round) {
    bool first = true;
#pragma unroll 1
    for (int leaf = 0; leaf < leaves; ++leaf) {
      const int32_t end = leaf_begin(round, leaf + 1);
      int32_t tile = leaf_begin(round, leaf);
      if (tile >= end) continue;
      attention.begin_leaf();
#pragma unroll 1
      for (; tile < end; ++tile) attention.add_tile(tree.origin + tile * kTokens);
      attention.end_leaf(first);
      first = false;
    }
    if (first) attention.no_leaf();
    __syncthreads();
    node.gather(shared.slots[0], shared.states[0], GenericShared<kDim>::kPitch);
    __syncthreads();
    // A node is the chain of its four children; the fourth one ends it.
#pragma unroll 1
    for (int k = 0; k < level - 2; ++k) {
      const int child = round >> (2 * k) & 3;
      if (child == 0) upper[k] = node;
      else upper[k].append(node);
      if (child != 3) break;
      node = upper[k];
    }
  }

  if (cut > 0) {
    const int64_t first_part = (static_cast<int64_t>(row_tile) * p.num_kv_heads + head) * params.work.items + work.first;
    if (!fold_parts(node, params.arrivals, params.partials, {first_part, part, 0}, cut)) return;
  }
  node.finish(p, q, first_row, rows, static_cast<int32_t>(head), p.value_scale(static_cast<int32_t>(head)), params.vector_out);
}

#endif

}  // namespace vkv::cuda
