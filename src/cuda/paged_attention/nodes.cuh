// Nodes of the tree above a warp's leaves: held by the whole CTA, each thread a few vectors of four floats of the rows'
// accumulators. Folded over warps through shared memory, over rounds in registers, over CTAs through the workspace.
//
// Most of this runs once a call, with one warp per scheduler and a cold instruction cache: every instruction counts.
#pragma once

#include "cuda/paged_attention/tree.cuh"
#include "cuda/primitives/cluster.cuh"

namespace vkv::cuda {

#ifdef __CUDACC__

// One thread's part of a node, or of one of kShares equal shares of its rows: vector i is number threadIdx.x + i * kThreads of
// [rows][kDim / 4]. Threads beyond a small share have nothing.
template <int kDim, int kRows, int kThreads, int kShares = 1>
struct Node {
  static constexpr int kRowVectors = kDim / 4;
  static constexpr int kAll = kRows / kShares * kRowVectors, kVectors = kAll < kThreads ? 1 : kAll / kThreads;
  static_assert(kVectors * kThreads == kAll || kAll < kThreads, "threads share rows evenly");
  static_assert(kRows % kShares == 0, "shares are whole rows");
  static constexpr int kAccs = kRows * kDim;
  static constexpr int kFloats = kAccs + 2 * kRows;  // a part: accumulators, then states of all rows

  SoftmaxState state[kVectors];
  float4 acc[kVectors];

  int share = 0;

  static __device__ bool idle() { return kAll < kThreads && threadIdx.x >= kAll; }
  __device__ int vector(int i) const { return (kShares == 1 ? 0 : share * kAll) + static_cast<int>(threadIdx.x) + i * kThreads; }
  __device__ int row(int i) const { return vector(i) / kRowVectors; }
  __device__ int dim(int i) const { return vector(i) % kRowVectors * 4; }

  static __device__ void append(SoftmaxState& state, float4& acc, const SoftmaxState& next, const float4& x) {
    const FoldFactors f = fold(state, next);
    acc = {fold(acc.x, x.x, f), fold(acc.y, x.y, f), fold(acc.z, x.z, f), fold(acc.w, x.w, f)};
  }
  __device__ void append(const Node& next) {
#pragma unroll
    for (int i = 0; i < kVectors; ++i) append(state[i], acc[i], next.state[i], next.acc[i]);
  }

  // The chain of the slots of four warps.
  __device__ void gather(const float* slots, const SoftmaxState* states, int pitch) {
#pragma unroll
    for (int i = 0; i < kVectors; ++i) {
      state[i] = states[row(i)];
      acc[i] = *reinterpret_cast<const float4*>(slots + row(i) * pitch + dim(i));
#pragma unroll
      for (int w = 1; w < 4; ++w) {
        append(state[i], acc[i], states[w * kRows + row(i)],
               *reinterpret_cast<const float4*>(slots + (w * kRows + row(i)) * pitch + dim(i)));
      }
    }
  }

  __device__ void store(float* part) const {
    if (idle()) return;
#pragma unroll
    for (int i = 0; i < kVectors; ++i) {
      reinterpret_cast<float4*>(part)[vector(i)] = acc[i];
      if (dim(i) == 0) reinterpret_cast<float2*>(part + kAccs)[row(i)] = make_float2(state[i].max, state[i].sum);
    }
  }

  struct Vector {
    SoftmaxState state;
    float4 acc;
  };
  __device__ Vector read(const float* part, int i) const {
    const float2 s = reinterpret_cast<const float2*>(part + kAccs)[row(i)];
    return {{s.x, s.y}, reinterpret_cast<const float4*>(part)[vector(i)]};
  }
  // The chain of four nodes: vector i of node c is vector_of(c, i). All are asked for before one is looked at.
  template <class VectorOf>
  __device__ void chain(const VectorOf& vector_of) {
    if (idle()) return;
    Vector next[4][kVectors];
#pragma unroll
    for (int c = 0; c < 4; ++c) {
#pragma unroll
      for (int i = 0; i < kVectors; ++i) next[c][i] = vector_of(c, i);
    }
#pragma unroll
    for (int i = 0; i < kVectors; ++i) {
      state[i] = next[0][i].state;
      acc[i] = next[0][i].acc;
#pragma unroll
      for (int c = 1; c < 4; ++c) append(state[i], acc[i], next[c][i].state, next[c][i].acc);
    }
  }

  // The end of the rows: the sink joins, one division, one rounding.
  __device__ void finish(const AttentionParams& p, const AttentionSequence& q, int32_t first_row, int32_t rows, int32_t head,
                         float value_scale, bool vector_out) const {
    if (idle()) return;
#pragma unroll
    for (int i = 0; i < kVectors; ++i) {
      const int32_t r = first_row + row(i);
      if (r >= rows) continue;
      uint32_t in_group;
      const int64_t token = q.query_begin + p.group.divide(static_cast<uint32_t>(r), in_group);
      const int64_t query_head = head * static_cast<int64_t>(p.group.divisor) + in_group;
      SoftmaxState s = state[i];
      const bool nothing = s.sum == 0.0f;
      float weight = 1.0f;
      if (p.sinks != nullptr) {
        const Joined joined = join_sink(s, __ldg(p.sinks + query_head * p.sink_stride));
        s = joined.state;
        weight = joined.weight;
      }
      if (p.lse != nullptr && dim(i) == 0) p.lse[token * p.lse_token + query_head * p.lse_head] = log_sum_exp(s);
      if (dim(i) >= p.head_dim) continue;
      const float by = __fdividef(weight, s.sum) * value_scale;
      float x[4] = {acc[i].x, acc[i].y, acc[i].z, acc[i].w};
#pragma unroll
      for (float& y : x) y = nothing ? 0.0f : __fadd_rn(y * by, 0.0f);  // -0 becomes 0: folds leave either
      store_row(p.out + token * p.out_token + query_head * p.out_head, dim(i), x, p.query_dtype, vector_out);
    }
  }

 private:
  struct Joined {
    SoftmaxState state;
    float weight;  // of what was there
  };
  static __device__ __noinline__ Joined join_sink(SoftmaxState s, float logit) {
    constexpr float kLog2e = 1.44269504088896340736f;
    const float sink = logit * kLog2e;
    if (s.sum == 0.0f) s.max = -__builtin_huge_valf();
    const float top = fmaxf(s.max, sink), origin = top == -__builtin_huge_valf() ? 0.0f : top;
    const float weight = exp2_approx(s.max - origin);
    return {{top, __fmaf_rn(s.sum, weight, exp2_approx(sink - origin))}, weight};
  }
  static __device__ __noinline__ float log_sum_exp(SoftmaxState s) {
    constexpr float kLn2 = 0.69314718055994530942f;
    return s.sum == 0.0f ? -__builtin_huge_valf() : __fmaf_rn(s.max, kLn2, logf(s.sum));
  }
  static __device__ void store_row(char* out, int dim, const float (&x)[4], vkv_dtype dtype, bool vector_out) {
    if (dtype == VKV_DTYPE_F32) {
#pragma unroll
      for (int j = 0; j < 4; ++j) reinterpret_cast<float*>(out)[dim + j] = x[j];
      return;
    }
    const bool half = dtype == VKV_DTYPE_F16;
    const uint32_t low = half ? MmaF16::pack(x[0], x[1]) : MmaBF16::pack(x[0], x[1]);
    const uint32_t high = half ? MmaF16::pack(x[2], x[3]) : MmaBF16::pack(x[2], x[3]);
    auto* to = reinterpret_cast<uint16_t*>(out) + dim;
    if (vector_out) {
      *reinterpret_cast<uint2*>(to) = {low, high};
    } else {
      to[0] = static_cast<uint16_t>(low);
      to[1] = static_cast<uint16_t>(low >> 16);
      to[2] = static_cast<uint16_t>(high);
      to[3] = static_cast<uint16_t>(high >> 16);
    }
  }
};

// CTAs of a cluster that finish rows, a quarter each.
constexpr int kFinishers = 4;

// Where a cluster's 4 or 16 CTAs leave the nodes of their parts: each finisher gets its rows from all. In shared memory: the
// barrier, then a slot for each CTA: accumulators and states.
template <class NodeType, class Share>
struct Exchange {
  static constexpr int kShareFloats = NodeType::kAccs / kFinishers, kShareRows = Share::kAll / Share::kRowVectors;
  static constexpr int kAccBytes = kShareFloats * 4, kSlotBytes = kAccBytes + kShareRows * 8;

  const char* base;

  __device__ Inbox inbox() const { return {shared_address(base)}; }
  __device__ uint32_t slot(int rank) const { return shared_address(base) + kInboxBytes + rank * kSlotBytes; }

  __device__ void open(int levels) const { inbox().open(kSlotBytes << (2 * levels)); }

  // To all whose shares have one of `rows` rows.
  __device__ void send(const NodeType& node, int rank, int32_t rows) const {
#pragma unroll
    for (int i = 0; i < NodeType::kVectors; ++i) {
      const int to = node.row(i) / kShareRows, row = node.row(i) % kShareRows;
      if (to * kShareRows >= rows) continue;
      const Inbox there = inbox().of(to);
      there.send(Inbox::in_cluster(slot(rank) + 4 * (row * NodeType::kRowVectors * 4 + node.dim(i)), to), node.acc[i]);
      if (node.dim(i) == 0) {
        there.send(Inbox::in_cluster(slot(rank) + kAccBytes + 8 * row, to), make_float2(node.state[i].max, node.state[i].sum));
      }
    }
  }
  // The node of `levels` levels over the parts.
  __device__ void receive(Share& share, int levels) const {
    inbox().wait();
    const auto node_of = [&](Share& node, const char* first) {
      node.chain([&](int c, int i) -> typename Share::Vector {
        const char* slot = first + c * kSlotBytes;
        const int row = share.row(i) % kShareRows;
        const auto s = reinterpret_cast<const float2*>(slot + kAccBytes)[row];
        return {{s.x, s.y}, *reinterpret_cast<const float4*>(slot + 4 * (row * NodeType::kRowVectors * 4 + share.dim(i)))};
      });
    };
    node_of(share, base + kInboxBytes);
    if (levels == 1) return;
#pragma unroll 1
    for (int c = 1; c < 4; ++c) {
      Share next;
      node_of(next, base + kInboxBytes + 4 * c * kSlotBytes);
      if (!share.idle()) share.append(next);
    }
  }
};

// Where parts of one row tile meet: four neighbours, then the nodes of four such groups, and so on. `first_part`: of the row
// tile. With clusters the first 4 or 16 have met before, and each share of the rows then meets for itself.
struct Meetings {
  int64_t first_part;
  int32_t part;
  int first;  // level of the nodes that meet first: 0, or with clusters 1 or 2

  __device__ int share() const { return part & ((1 << (2 * first)) - 1); }
  // The first part of the node of level `done` that this part is under.
  __device__ int32_t node(int done) const { return part >> (2 * done) << (2 * done); }
  // Of the four nodes of level `done`; groups have parts enough for all of their levels' words.
  __device__ int64_t word(int done) const { return first_part + node(done + 1) + ((done - first) << (2 * first)) + share(); }

  // The word of this part's number, which it prepares for all that meet there, is of this level.
  __device__ int prepares() const { return first + (part >> (2 * first)) % 4; }
};

// Puts the parts of one row tile together: the last CTA of four neighbours folds them, and so on up the tree. Where this CTA was
// last for the whole, `node` is then the root; else false. A node lies where its first part lay.
template <class NodeType>
__device__ bool fold_parts(NodeType& node, const Arrivals& arrivals, float* partials, const Meetings& meetings, int cut) {
  __shared__ bool is_last;
  float* parts = partials + meetings.first_part * NodeType::kFloats;
#pragma unroll 1
  for (int done = meetings.first; done < cut; ++done) {
    if (done > meetings.first) __syncthreads();
    node.store(parts + meetings.node(done) * static_cast<int64_t>(NodeType::kFloats));
    __syncthreads();
    if (threadIdx.x == 0) is_last = arrivals.last(meetings.word(done), 4);
    __syncthreads();
    if (!is_last) return false;
    const float* group = parts + meetings.node(done + 1) * static_cast<int64_t>(NodeType::kFloats);
    node.chain([&](int c, int i) { return node.read(group + (static_cast<int64_t>(c) << (2 * done)) * NodeType::kFloats, i); });
  }
  return true;
}

#endif

}  // namespace vkv::cuda
