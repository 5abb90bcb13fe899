// Nodes of the tree above a warp's leaves: held by the whole CTA, each thread a few vectors of four floats of the rows'
// accumulators. Folded over warps through shared memory, over rounds in registers, over CTAs through the workspace.
#pragma once

#include "cuda/paged_attention/tree.cuh"

namespace vkv::cuda {

#ifdef __CUDACC__

// The end of a row, four dims of it: the sink joins, one division, one rounding.
static __device__ __noinline__ void finish_row(const AttentionParams& p, int64_t token, int64_t query_head, int dim,
                                               SoftmaxState s, float4 acc, float value_scale, bool vector_out) {
  constexpr float kLog2e = 1.44269504088896340736f, kLn2 = 0.69314718055994530942f;
  const bool nothing = s.sum == 0.0f;
  float weight = 1.0f;
  if (nothing) s.max = -__builtin_huge_valf();
  if (p.sinks != nullptr) {
    const float sink = __ldg(p.sinks + query_head * p.sink_stride) * kLog2e;
    const float top = fmaxf(s.max, sink), origin = top == -__builtin_huge_valf() ? 0.0f : top;
    weight = exp2_approx(s.max - origin);
    s.sum = __fmaf_rn(s.sum, weight, exp2_approx(sink - origin));
    s.max = top;
  }
  if (p.lse != nullptr && dim == 0) {
    p.lse[token * p.lse_token + query_head * p.lse_head] =
        s.sum == 0.0f ? -__builtin_huge_valf() : __fmaf_rn(s.max, kLn2, logf(s.sum));
  }
  if (dim >= p.head_dim) return;
  const float by = __fdiv_rn(weight, s.sum);
  float x[4] = {acc.x, acc.y, acc.z, acc.w};
#pragma unroll
  for (float& y : x) y = nothing ? 0.0f : y * by * value_scale;
  char* out = p.out + token * p.out_token + query_head * p.out_head;
  if (p.query_dtype == VKV_DTYPE_F32) {
#pragma unroll
    for (int j = 0; j < 4; ++j) reinterpret_cast<float*>(out)[dim + j] = x[j];
    return;
  }
  const bool half = p.query_dtype == VKV_DTYPE_F16;
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

struct Vector {
  SoftmaxState state;
  float4 acc;

  __device__ void append(const Vector& next) {
    const FoldFactors f = fold(state, next.state);
    acc = {fold(acc.x, next.acc.x, f), fold(acc.y, next.acc.y, f), fold(acc.z, next.acc.z, f), fold(acc.w, next.acc.w, f)};
  }
};

__device__ inline Vector no_tokens() { return {{-__builtin_huge_valf(), 0.0f}, {0.0f, 0.0f, 0.0f, 0.0f}}; }

// A vector of the node above 4 or 16 (levels 2) parts; all are asked for before one is looked at.
static __device__ __noinline__ Vector load_vector(const float* states, const float* accs, int64_t apart, int levels) {
  Vector child[16];
#pragma unroll
  for (int c = 0; c < 16; ++c) {
    if (c >= 4 && levels == 1) continue;
    const float2 s = __ldcg(reinterpret_cast<const float2*>(states + c * apart));
    child[c] = {{s.x, s.y}, __ldcg(reinterpret_cast<const float4*>(accs + c * apart))};
  }
  Vector node = no_tokens();
#pragma unroll
  for (int c = 0; c < 16; c += 4) {
    if (c >= 4 && levels == 1) continue;
    Vector group = child[c];
#pragma unroll
    for (int d = 1; d < 4; ++d) group.append(child[c + d]);
    if (c == 0) node = group;
    else node.append(group);
  }
  return node;
}

// One thread's part of a node: vector i is number threadIdx.x + i * kThreads of [rows][kDim / 4].
template <int kDim, int kRows, int kThreads>
struct Node {
  static constexpr int kRowVectors = kDim / 4;
  static constexpr int kVectors = (kRows * kRowVectors + kThreads - 1) / kThreads;
  static constexpr int kUnroll = kVectors <= 2 ? kVectors : 1;
  static constexpr int kFloats = kRows * (kDim + 2);  // in the workspace: accumulators, then max and sum of each row

  SoftmaxState state[kVectors];
  float4 acc[kVectors];

  static __device__ int vector(int i) { return static_cast<int>(threadIdx.x) + i * kThreads; }
  static __device__ int row(int i) { return vector(i) / kRowVectors; }
  static __device__ int dim(int i) { return vector(i) % kRowVectors * 4; }

  __device__ void clear() {
#pragma unroll kUnroll
    for (int i = 0; i < kVectors; ++i) {
      state[i] = {-__builtin_huge_valf(), 0.0f};
      acc[i] = {0.0f, 0.0f, 0.0f, 0.0f};
    }
  }

  __device__ void append(int i, const SoftmaxState& next, const float4& x) {
    const FoldFactors f = fold(state[i], next);
    acc[i] = {fold(acc[i].x, x.x, f), fold(acc[i].y, x.y, f), fold(acc[i].z, x.z, f), fold(acc[i].w, x.w, f)};
  }
  __device__ void append(const Node& next) {
#pragma unroll kUnroll
    for (int i = 0; i < kVectors; ++i) append(i, next.state[i], next.acc[i]);
  }

  // The chain of the slots of `count` warps.
  __device__ void gather(const float* slots, const SoftmaxState* states, int pitch, int count) {
    clear();
#pragma unroll 1
    for (int w = 0; w < count; ++w) {
#pragma unroll kUnroll
      for (int i = 0; i < kVectors; ++i) {
        append(i, states[w * kRows + row(i)],
               *reinterpret_cast<const float4*>(slots + (w * kRows + row(i)) * pitch + dim(i)));
      }
    }
  }

  __device__ void store(float* to) const {
#pragma unroll kUnroll
    for (int i = 0; i < kVectors; ++i) {
      __stcg(reinterpret_cast<float4*>(to) + vector(i), acc[i]);
      if (dim(i) == 0) {
        __stcg(reinterpret_cast<float2*>(to + kRows * kDim) + row(i), make_float2(state[i].max, state[i].sum));
      }
    }
  }

  // The node whose 4^levels descendants (levels: 1 or 2) lie `apart` floats from one another.
  __device__ void load(const float* from, int64_t apart, int levels) {
#pragma unroll kUnroll
    for (int i = 0; i < kVectors; ++i) {
      const Vector v = load_vector(from + kRows * kDim + 2 * row(i), from + 4 * vector(i), apart, levels);
      state[i] = v.state;
      acc[i] = v.acc;
    }
  }

  __device__ void finish(const AttentionParams& p, const AttentionSequence& q, int32_t first_row, int32_t rows, int32_t head,
                         float gain, bool vector_out) {
    const float value_scale = p.value_scale(head) * gain;
#pragma unroll kUnroll
    for (int i = 0; i < kVectors; ++i) {
      const int32_t r = first_row + row(i);
      if (r >= rows || row(i) >= kRows) continue;
      uint32_t in_group;
      const int64_t token = q.query_begin + p.group.divide(static_cast<uint32_t>(r), in_group);
      finish_row(p, token, head * static_cast<int64_t>(p.group.divisor) + in_group, dim(i), state[i], acc[i], value_scale,
                 vector_out);
    }
  }
};

// Puts the parts of one row tile together: the last CTA of up to 16 neighbours folds them, and so on up the tree. Where this
// CTA was last for the whole, `node` is then the root; else false.
template <class NodeType>
__device__ bool fold_parts(NodeType& node, const Arrivals& arrivals, float* partials, int64_t first_part, int32_t part, int cut) {
  __shared__ bool is_last;
  float* base = partials + first_part * NodeType::kFloats;
  node.store(base + part * static_cast<int64_t>(NodeType::kFloats));
  for (int done = 0; done < cut;) {
    const int levels = cut - done < 2 ? 1 : 2;
    const int32_t group = part >> (2 * (done + levels)) << (2 * (done + levels));  // first part of the group
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) is_last = arrivals.last(first_part + group + (done != 0 ? 1 : 0), 1u << (2 * levels));
    __syncthreads();
    if (!is_last) return false;
    __threadfence();
    const float* from = base + group * static_cast<int64_t>(NodeType::kFloats);
    const int64_t apart = static_cast<int64_t>(NodeType::kFloats) << (2 * done);
    node.load(from, apart, levels);
    done += levels;
    __syncthreads();  // the first part's memory becomes the group's
    if (done < cut) node.store(base + group * static_cast<int64_t>(NodeType::kFloats));
  }
  return true;
}

#endif

}  // namespace vkv::cuda
