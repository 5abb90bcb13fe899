// What a warp of the generic kernel does: it computes leaves of the tree for 8 rows, in float32 on CUDA
// cores. A tile is a token for each lane.
#pragma once

#include "cuda/paged_attention/cache_reader.cuh"
#include "cuda/paged_attention/decode_params.cuh"

namespace vkv::cuda {

#ifdef __CUDACC__

constexpr int kGenericRows = 8, kGenericTokens = 32;

// What a row sees.
struct alignas(16) GenericRow {
  int32_t position, oldest, sparse;  // -1, none: a row that is not there
  float slope;                       // in units of log2(e)
};

// Shared memory of a CTA.
template <int kDim>
struct alignas(16) GenericShared {
  static constexpr int kPitch = kDim + 4;  // floats from row to row: other banks
  float slots[kDecodeWarps][kGenericRows * kPitch];
  float query[kGenericRows][kDim];
  float weights[kDecodeWarps][kGenericTokens][kGenericRows];
  SoftmaxState states[kDecodeWarps][kGenericRows];
  GenericRow rows[kGenericRows];
};

// The rows and the tokens of a CTA.
struct GenericSpan {
  int32_t sequence, head, first_row, rows;
  int32_t low, high;  // tokens that some row sees: [low, high)
  int32_t seen;       // tokens up to this one are reported by rows before these
};

// -infinity where all are NaN.
__device__ inline float warp_max(float x) {
  const auto ordered = [](int i) { return i ^ (i >> 31 & 0x7FFFFFFF); };
  const int most = __reduce_max_sync(0xFFFFFFFFu, ordered(__float_as_int(fmaxf(x, -__builtin_huge_valf()))));
  return __int_as_float(ordered(most));
}

template <int kDim>
class GenericWarp {
  static constexpr int kRows = kGenericRows;
  static constexpr int kVector = kDim / 32 < 4 ? kDim / 32 : 4;  // dims side by side that a lane accumulates
  static constexpr int kVectors = kDim / (32 * kVector);
  static constexpr int kTogether = kDim <= 256 ? 4 : 2;  // tokens whose values are read at once
  static constexpr int kStep = kDim <= 128 ? 8 : 4;      // dims that a lane multiplies at once
  static constexpr float kLog2e = 1.44269504088896340736f;

 public:
  __device__ GenericWarp(const DecodeParams& params, const AttentionSequence& q, const GenericSpan& span,
                         GenericShared<kDim>& shared)
      : p_(params.attention),
        q_(q),
        span_(span),
        shared_(shared),
        keys_(p_, p_.key, false, span.head, params.loader.piece_bytes),
        values_(p_, p_.value, true, span.head, params.loader.piece_bytes),
        table_(p_.pages.row(span.sequence, q)),
        warp_(static_cast<int>(threadIdx.x / 32)),
        lane_(static_cast<int>(threadIdx.x % 32)) {
    const float scale = p_.key_scale(span.head) * p_.softmax_scale;
    inner_ = p_.softcap == 0.0f ? 1.0f : __fdiv_rn(scale, p_.softcap);
    outer_ = (p_.softcap == 0.0f ? scale : p_.softcap) * kLog2e;
  }

  __device__ void begin_leaf() {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      max_[r] = -__builtin_huge_valf();
      sum_[r] = 0.0f;
#pragma unroll
      for (int i = 0; i < kVectors; ++i) {
#pragma unroll
        for (int j = 0; j < kVector; ++j) acc_[r][i][j] = 0.0f;
      }
    }
  }

  // `position`: of the tile's first token.
  __device__ void add_tile(int32_t position) {
    const int32_t token = position + lane_;
    uint32_t offset = 0, block = 0;
    const bool present = find(token, block, offset);
    const uint32_t mask = __ballot_sync(0xFFFFFFFFu, present);
    if (mask == 0) return;
    const int known = __ffs(static_cast<int>(mask)) - 1;  // absent tokens are read as this one, and then left out
    const int from = present ? lane_ : known;
    block = __shfl_sync(0xFFFFFFFFu, block, from);
    offset = __shfl_sync(0xFFFFFFFFu, offset, from);
    float x[kRows];
    dots(keys_.token(block, offset), x);
    const uint32_t sees = weigh(token, offset, present, x);
    add_values(values_.token(block, offset), sees);
  }

  // Puts the leaf into the warp's slot: as the slot's first, or folded into what is there.
  __device__ void end_leaf(bool first) {
    float* slot = shared_.slots[warp_];
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      float total = sum_[r];
#pragma unroll
      for (int delta = 16; delta > 0; delta /= 2) total = __fadd_rn(total, __shfl_xor_sync(0xFFFFFFFFu, total, delta));
      SoftmaxState state = {max_[r], total};
      FoldFactors f = {0.0f, 1.0f};
      if (!first) {
        state = shared_.states[warp_][r];
        f = fold(state, {max_[r], total});
        __syncwarp();
      }
      if (lane_ == 0) shared_.states[warp_][r] = state;
#pragma unroll
      for (int i = 0; i < kVectors; ++i) {
        float* to = slot + r * GenericShared<kDim>::kPitch + dim(i);
#pragma unroll
        for (int j = 0; j < kVector; ++j) to[j] = first ? acc_[r][i][j] : fold(to[j], acc_[r][i][j], f);
      }
    }
    __syncwarp();
  }
  // The slot of a warp without leaves.
  __device__ void no_leaf() {
    float* slot = shared_.slots[warp_];
    for (int i = lane_; i < kRows * GenericShared<kDim>::kPitch; i += 32) slot[i] = 0.0f;
    if (lane_ < kRows) shared_.states[warp_][lane_] = {-__builtin_huge_valf(), 0.0f};
  }

 private:
  __device__ int dim(int i) const { return (i * 32 + lane_) * kVector; }

  // Whether a token is there, and where.
  __device__ bool find(int32_t token, uint32_t& block, uint32_t& offset) const {
    if (token < span_.low || token >= span_.high) return false;
    const uint32_t column = p_.pages.block_size.divide(static_cast<uint32_t>(token), offset);
    const int32_t id = __ldg(table_ + column * p_.pages.entry_stride);
    block = static_cast<uint32_t>(id);
    if (block < p_.pages.num_blocks) return true;
    // The first token of a block that anybody sees tells.
    if (span_.head == 0 && (offset == 0 || token == span_.low) && token > span_.seen) {
      p_.pages.report_block(span_.sequence, p_.pages.row(span_.sequence, q_), column, id);
    }
    return false;
  }

  static __device__ CacheToken shuffle(const CacheToken& token, int lane) {
    const auto at = __shfl_sync(0xFFFFFFFFu, reinterpret_cast<unsigned long long>(token.at), lane);
    return {reinterpret_cast<const char*>(at), __shfl_sync(0xFFFFFFFFu, token.offset, lane)};
  }

  // x[r]: dot product of row r and this lane's token. Four lanes share the dims of their four tokens.
  __device__ void dots(const CacheToken& token, float (&x)[kRows]) const {
    float part[4][kRows];
    CacheToken tokens[4];
#pragma unroll
    for (int t = 0; t < 4; ++t) {
      tokens[t] = shuffle(token, lane_ / 4 * 4 + t);
#pragma unroll
      for (int r = 0; r < kRows; ++r) part[t][r] = 0.0f;
    }
#pragma unroll 1
    for (int d = lane_ % 4 * kStep; d < p_.head_dim; d += 4 * kStep) {
      float k[4][kStep];
      keys_.read(tokens, d, k);
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        alignas(16) float q[kStep];
#pragma unroll
        for (int i = 0; i < kStep; i += 4) {
          *reinterpret_cast<float4*>(q + i) = *reinterpret_cast<const float4*>(shared_.query[r] + d + i);
        }
#pragma unroll
        for (int t = 0; t < 4; ++t) {
          float dot = __fmul_rn(q[0], k[t][0]);
#pragma unroll
          for (int i = 1; i < kStep; ++i) dot = __fmaf_rn(q[i], k[t][i], dot);
          part[t][r] = __fadd_rn(part[t][r], dot);
        }
      }
    }
    __syncwarp();
    const bool second = (lane_ & 2) != 0, odd = (lane_ & 1) != 0;
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      float half[2];
#pragma unroll
      for (int t = 0; t < 2; ++t) {
        const float mine = second ? part[t + 2][r] : part[t][r], other = second ? part[t][r] : part[t + 2][r];
        half[t] = __fadd_rn(mine, __shfl_xor_sync(0xFFFFFFFFu, other, 2));
      }
      const float mine = odd ? half[1] : half[0], other = odd ? half[0] : half[1];
      x[r] = __fadd_rn(mine, __shfl_xor_sync(0xFFFFFFFFu, other, 1));
    }
  }

  // Dot products become the token's weights, in shared memory; earlier sums are rescaled. Bit r of the result: row r
  // sees the token.
  __device__ uint32_t weigh(int32_t token, uint32_t offset, bool present, float (&x)[kRows]) {
    if (p_.softcap != 0.0f) {
#pragma unroll
      for (int r = 0; r < kRows; ++r) x[r] = tanhf(__fmul_rn(x[r], inner_));
    }
    const bool sparse = p_.sparse.vert_stride > 1;
    uint32_t seen = 0;
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const GenericRow row = shared_.rows[r];
      bool sees = present && token <= row.position && token >= row.oldest;
      if (sparse && sees) sees = p_.sparse.attends(row.position, static_cast<uint32_t>(token) - offset, row.sparse);
      if (!__any_sync(0xFFFFFFFFu, sees)) {
        x[r] = 0.0f;
        continue;
      }
      // Logits in units of log2(e). A weight's exponent is rounded once, where it is small.
      const float bias = __fmul_rn(row.slope, static_cast<float>(token - row.position));
      const float logit = sees ? __fmaf_rn(x[r], outer_, bias) : -__builtin_huge_valf();
      const float top = fmaxf(max_[r], warp_max(logit));
      const float base = top == -__builtin_huge_valf() ? 0.0f : top;
      const float before = exp2_approx(__fsub_rn(max_[r], base));
      x[r] = sees ? exp2_approx(__fmaf_rn(x[r], outer_, __fsub_rn(bias, base))) : 0.0f;
      max_[r] = top;
      sum_[r] = __fmaf_rn(sum_[r], before, x[r]);
      seen |= static_cast<uint32_t>(sees) << r;
      if (before == 1.0f) continue;
#pragma unroll
      for (int i = 0; i < kVectors; ++i) {
#pragma unroll
        for (int j = 0; j < kVector; ++j) acc_[r][i][j] = __fmul_rn(acc_[r][i][j], before);
      }
    }
    auto* to = reinterpret_cast<float4*>(shared_.weights[warp_][lane_]);
    to[0] = {x[0], x[1], x[2], x[3]};
    to[1] = {x[4], x[5], x[6], x[7]};
    __syncwarp();
    return seen;
  }

  // Bit r of `sees`: row r sees this lane's token. What a row does not see is not multiplied either: it may be NaN.
  __device__ void add_values(const CacheToken& token, uint32_t sees) {
    uint32_t left = __ballot_sync(0xFFFFFFFFu, sees != 0);
    int at[kTogether] = {};
#pragma unroll 1
    while (left != 0) {
      CacheToken tokens[kTogether];
      uint32_t seen[kTogether];
#pragma unroll
      for (int t = 0; t < kTogether; ++t) {
        const bool there = left != 0;
        at[t] = there ? __ffs(static_cast<int>(left)) - 1 : at[0];
        left &= left - 1;
        tokens[t] = shuffle(token, at[t]);
        seen[t] = __shfl_sync(0xFFFFFFFFu, sees, at[t]);
        if (!there) seen[t] = 0;
      }
#pragma unroll
      for (int i = 0; i < kVectors; ++i) {
        float v[kTogether][kVector];
        values_.read(tokens, min(dim(i), p_.head_dim - kVector), v);
#pragma unroll
        for (int t = 0; t < kTogether; ++t) {
          const auto* weights = reinterpret_cast<const float4*>(shared_.weights[warp_][at[t]]);
          const float4 low = weights[0], high = weights[1];
          const float w[kRows] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
          for (int r = 0; r < kRows; ++r) {
            if ((seen[t] >> r & 1) == 0) continue;
#pragma unroll
            for (int j = 0; j < kVector; ++j) acc_[r][i][j] = __fmaf_rn(w[r], v[t][j], acc_[r][i][j]);
          }
        }
      }
    }
    __syncwarp();  // the next tile's weights may come
  }

  const AttentionParams& p_;
  const AttentionSequence& q_;
  const GenericSpan& span_;
  GenericShared<kDim>& shared_;
  const CacheReader keys_, values_;
  const int32_t* const table_;
  const int warp_, lane_;
  float inner_, outer_;  // logit: dot product * outer, or tanh(dot product * inner) * outer
  float max_[kRows], sum_[kRows];  // of the row; of this lane's tokens
  float acc_[kRows][kVectors][kVector];
};

#endif

}  // namespace vkv::cuda
