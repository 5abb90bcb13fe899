// Nodes of the tree above a warp's leaves: held by the whole CTA, each thread a few vectors of four floats of the rows'
// accumulators. Folded over warps through shared memory, over rounds in registers, over CTAs through the workspace.
//
// Most of this runs once a call, with one warp per scheduler and a cold instruction cache: every instruction counts.
#pragma once

#include "cuda/paged_attention/tree.cuh"

namespace vkv::cuda {

#ifdef __CUDACC__

// One thread's part of a node: vector i is number threadIdx.x + i * kThreads of [rows][kDim / 4].
template <int kDim, int kRows, int kThreads>
struct Node {
  static constexpr int kRowVectors = kDim / 4;
  static constexpr int kVectors = kRows * kRowVectors / kThreads;
  static_assert(kVectors * kThreads == kRows * kRowVectors, "threads share rows evenly");
  static constexpr int kAccs = kRows * kDim;
  static constexpr int kFloats = kAccs + 2 * kRows;  // a part in the workspace: accumulators, then states of all rows

  SoftmaxState state[kVectors];
  float4 acc[kVectors];

  static __device__ int vector(int i) { return static_cast<int>(threadIdx.x) + i * kThreads; }
  static __device__ int row(int i) { return vector(i) / kRowVectors; }
  static __device__ int dim(int i) { return vector(i) % kRowVectors * 4; }

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

  __device__ void store(float* to) const {
#pragma unroll
    for (int i = 0; i < kVectors; ++i) {
      __stcg(reinterpret_cast<float4*>(to) + vector(i), acc[i]);
      if (dim(i) == 0) {
        __stcg(reinterpret_cast<float2*>(to + kAccs) + row(i), make_float2(state[i].max, state[i].sum));
      }
    }
  }

  // The node above 4 or 16 (levels 2) neighbours in the workspace; called by the whole CTA. All of them are asked for before
  // one is looked at, states by way of `scratch`: 16 * kRows in shared memory.
  __device__ void load(const float* from, int levels, SoftmaxState* scratch) {
    constexpr int kAtOnce = kVectors < 2 ? kVectors : 2;  // as registers allow
    const int children = 1 << (2 * levels);
    for (int i = static_cast<int>(threadIdx.x); i < children * kRows; i += kThreads) {
      const float2 s = __ldcg(reinterpret_cast<const float2*>(from + i / kRows * kFloats + kAccs) + i % kRows);
      scratch[i] = {s.x, s.y};
    }
#pragma unroll
    for (int first = 0; first < kVectors; first += kAtOnce) {
      float4 child[kAtOnce][16];
#pragma unroll
      for (int c = 0; c < 16; ++c) {
        if (c == 4 && levels == 1) break;
#pragma unroll
        for (int i = 0; i < kAtOnce; ++i) {
          child[i][c] = __ldcg(reinterpret_cast<const float4*>(from + c * kFloats) + vector(first + i));
        }
      }
      if (first == 0) __syncthreads();
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
#pragma unroll
        for (int c = 0; c < 16; c += 4) {
          if (c == 4 && levels == 1) break;
          SoftmaxState group = scratch[c * kRows + row(first + i)];
#pragma unroll
          for (int d = 1; d < 4; ++d) append(group, child[i][c], scratch[(c + d) * kRows + row(first + i)], child[i][c + d]);
          if (c == 0) {
            state[first + i] = group;
            acc[first + i] = child[i][0];
          } else {
            append(state[first + i], acc[first + i], group, child[i][c]);
          }
        }
      }
    }
  }

  // The end of the rows: the sink joins, one division, one rounding.
  __device__ void finish(const AttentionParams& p, const AttentionSequence& q, int32_t first_row, int32_t rows, int32_t head,
                         float value_scale, bool vector_out) const {
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

// Where the parts of a group meet: 16 neighbours, or all where there are fewer; then the groups.
__device__ inline int64_t meeting(int64_t first_part, int32_t part, int done, int levels) {
  return first_part + (part >> (2 * (done + levels)) << (2 * (done + levels))) + (done != 0 ? 1 : 0);
}
__device__ inline void prepare_meetings(const Arrivals& arrivals, int64_t first_part, int32_t part, int cut) {
  if (cut == 0 || threadIdx.x != 0) return;
  if (part % 16 == 0) arrivals.prepare(meeting(first_part, part, 0, min(cut, 2)));
  if (part == 0 && cut > 2) arrivals.prepare(meeting(first_part, part, 2, cut - 2));
}

// Puts the parts of one row tile together: the last CTA of up to 16 neighbours folds them, and so on up the tree. Where this
// CTA was last for the whole, `node` is then the root; else false. Groups' nodes lie behind all parts of the launch.
template <class NodeType>
__device__ bool fold_parts(NodeType& node, const Arrivals& arrivals, float* partials, int64_t all_parts, int64_t first_part,
                           int32_t part, int cut, SoftmaxState* scratch) {
  __shared__ bool is_last;
  float* base = partials + first_part * NodeType::kFloats;
  int32_t mine = part;
#pragma unroll 1
  for (int done = 0;;) {
    const int levels = cut - done < 2 ? 1 : 2;
    node.store(base + mine * static_cast<int64_t>(NodeType::kFloats));
    __syncthreads();
    if (threadIdx.x == 0) is_last = arrivals.last(meeting(first_part, part, done, levels), 1u << (2 * levels));
    __syncthreads();
    if (!is_last) return false;
    node.load(base + (mine >> (2 * levels) << (2 * levels)) * static_cast<int64_t>(NodeType::kFloats), levels, scratch);
    done += levels;
    if (done == cut) return true;
    mine >>= 2 * levels;
    base = partials + (all_parts + (first_part >> (2 * done))) * NodeType::kFloats;
  }
}

#endif

}  // namespace vkv::cuda
