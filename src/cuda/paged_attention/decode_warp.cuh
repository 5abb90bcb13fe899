// A warp's part of the decode kernel: leaves of the tree, computed from tiles in shared memory, and their folds up to the
// warp's node. Rows are the narrow operand of the matrix products: S^T = K Q^T, O^T = V^T P^T.
#pragma once

#include "cuda/paged_attention/decode_params.cuh"
#include "cuda/paged_attention/not_finite.cuh"

namespace vkv::cuda {

#ifdef __CUDACC__

template <class Kind, int kDim, int kRowTiles, bool kXPacked>
class WarpAttention {
  using Mma = typename Kind::Mma;
  static constexpr int kSteps = kDim / 16;
  static constexpr int kSubtiles = Kind::tile_tokens / 16;
  static constexpr float kLog2e = 1.44269504088896340736f;

 public:
  __device__ WarpAttention(const AttentionParams& p, int32_t first_row, int32_t rows, int32_t head)
      : p_(p),
        g_(static_cast<int>(threadIdx.x % 32) / 4),
        t_(static_cast<int>(threadIdx.x) % 4),
        first_row_(first_row),
        rows_(rows),
        head_(head) {}
  // A hint to the L2, then the request, before prepare().
  __device__ void prefetch_query(const AttentionSequence& q) {
#pragma unroll
    for (int n = 0; n < kRowTiles; ++n) {
      const int32_t row = first_row_ + 8 * n + g_;
      uint32_t head;
      const int64_t token = q.query_begin + p_.group.divide(static_cast<uint32_t>(row), head);
      row_at_[n] = p_.query + token * p_.query_token + (head_ * static_cast<int64_t>(p_.group.divisor) + head) * p_.query_head;
      if (row < rows_ && t_ * kDim / 4 < p_.head_dim) asm volatile("prefetch.global.L2 [%0];" ::"l"(row_at_[n] + t_ * kDim / 2));
    }
  }
  __device__ void request_query(const DecodeParams& p) {
#pragma unroll
    for (int n = 0; n < kRowTiles; ++n) {
      const int32_t row = first_row_ + 8 * n + g_;
      const char* at = row_at_[n];
      const int dims = row < rows_ ? p_.head_dim : 0;
      if (p.whole_query) {
#pragma unroll
        for (int k = 0; k < kSteps; ++k) q_[k][n][0] = q_[k][n][1] = 0;
        if (row < rows_) load_whole(at, n);
      } else if (p.paired_query && Kind::neighbours) {
#pragma unroll
        for (int k = 0; k < kSteps; ++k) {
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            const int d = Kind::query_dims(k, half, t_).x;
            q_[k][n][half] = d < dims ? __ldg(reinterpret_cast<const uint32_t*>(at) + d / 2) : 0;
          }
        }
      } else {
#pragma unroll
        for (int k = 0; k < kSteps; ++k) {
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            const int2 d = Kind::query_dims(k, half, t_);
            q_[k][n][half] = d.y < dims ? query_pair(at, d.x, d.y) : 0;
          }
        }
      }
    }
  }

  __device__ void prepare(const DecodeParams& p, int32_t first_position) {
    first_position_ = first_position;
    if (!Kind::neighbours && p.whole_query) interleave();
    prepare_query();
  }

  // Whether logits are products, but for what rows see.
  __device__ bool plain() const { return p_.softcap == 0.0f && p_.alibi_slopes == nullptr && p_.sparse.vert_stride <= 1; }

  __device__ void begin_leaf() {
#pragma unroll
    for (int n = 0; n < kRowTiles; ++n) {
      max_[n][0] = max_[n][1] = -__builtin_huge_valf();
      sum_[n][0] = sum_[n][1] = 0.0f;
#pragma unroll
      for (int m = 0; m < kSteps; ++m) acc_[m][n][0] = acc_[m][n][1] = acc_[m][n][2] = acc_[m][n][3] = 0.0f;
    }
  }

  // Dot products of all tokens of a tile.
  __device__ void keys(uint32_t tile, uint32_t scales) {
    const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
    for (int u = 0; u < kSubtiles; ++u) {
      float odd[kRowTiles][4];  // products of every other step: chains of half the length
#pragma unroll
      for (int n = 0; n < kRowTiles; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) s_[u][n][i] = odd[n][i] = 0.0f;
      }
      Kind::template keys<kDim, kXPacked>(tile, scales, 16 * u, lane, [&](int k, const uint32_t(&a)[4]) {
#pragma unroll
        for (int n = 0; n < kRowTiles; ++n) Mma::run(k % 2 == 0 ? s_[u][n] : odd[n], a, q_[k][n]);
      });
#pragma unroll
      for (int n = 0; n < kRowTiles; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) s_[u][n][i] = __fadd_rn(s_[u][n][i], odd[n][i]);
      }
    }
  }

  // Dot products become weights; earlier sums are rescaled. `position`: of the tile's first token; bit i of `mask`: token i
  // is there; `mixed`: rows see different tokens. kPlain: all tokens are there, all rows see them, and logits are products.
  template <bool kPlain>
  __device__ void weights(int32_t position, uint32_t mask, bool mixed) {
    if constexpr (kPlain) scale_products();
    else logits(position, mask, mixed);
    float top[kRowTiles][2];
#pragma unroll
    for (int n = 0; n < kRowTiles; ++n) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        float x = max_[n][c];
#pragma unroll
        for (int u = 0; u < kSubtiles; ++u) x = fmaxf(x, fmaxf(s_[u][n][c], s_[u][n][c + 2]));
        x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, 4));
        x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, 8));
        top[n][c] = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, 16));
      }
    }
#pragma unroll
    for (int n = 0; n < kRowTiles; ++n) {
      const float base[2] = {top[n][0] == -__builtin_huge_valf() ? 0.0f : top[n][0],
                             top[n][1] == -__builtin_huge_valf() ? 0.0f : top[n][1]};
      const float before[2] = {exp2_approx(__fsub_rn(max_[n][0], base[0])), exp2_approx(__fsub_rn(max_[n][1], base[1]))};
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        max_[n][c] = top[n][c];
        sum_[n][c] = __fmul_rn(sum_[n][c], before[c]);
      }
      if (__any_sync(0xFFFFFFFFu, before[0] != 1.0f || before[1] != 1.0f)) {
#pragma unroll
        for (int m = 0; m < kSteps; ++m) {
#pragma unroll
          for (int i = 0; i < 4; ++i) acc_[m][n][i] = __fmul_rn(acc_[m][n][i], before[i & 1]);
        }
      }
#pragma unroll
      for (int u = 0; u < kSubtiles; ++u) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          s_[u][n][i] = exp2_approx(__fsub_rn(s_[u][n][i], base[i & 1]));
          sum_[n][i & 1] = __fadd_rn(sum_[n][i & 1], s_[u][n][i]);
        }
      }
    }
  }

  // Before values() of a tile whose rows see different tokens; `numbers`: of V, or of its scales.
  __device__ void set_not_finite_apart(uint32_t numbers, int32_t position) {
    uint32_t weightless = 0;
#pragma unroll
    for (int u = 0; u < kSubtiles; ++u) {
#pragma unroll
      for (int n = 0; n < kRowTiles; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const bool none = (Mma::pack(s_[u][n][i], 0.0f) & 0x7FFFu) == 0;
          weightless |= (none ? 1u : 0u) << ((u * kRowTiles + n) * 4 + i);
        }
      }
    }
    const auto apart = set_apart<Kind, kDim, kRowTiles, kXPacked>(p_, numbers, position, first_position_, first_row_, head_, weightless);
    if (!__any_sync(0xFFFFFFFFu, apart.any())) return;
#pragma unroll
    for (int m = 0; m < kSteps; ++m) {
#pragma unroll
      for (int n = 0; n < kRowTiles; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) acc_[m][n][i] = apart.joined(acc_[m][n][i], (m * kRowTiles + n) * 4 + i);
      }
    }
  }

  __device__ void values(uint32_t tile, uint32_t scales) {
    const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
    for (int u = 0; u < kSubtiles; ++u) {
      uint32_t w[kRowTiles][2];
#pragma unroll
      for (int n = 0; n < kRowTiles; ++n) {
        w[n][0] = movmatrix_trans(Mma::pack(s_[u][n][0], s_[u][n][1]));
        w[n][1] = movmatrix_trans(Mma::pack(s_[u][n][2], s_[u][n][3]));
      }
      Kind::template values<kDim, kXPacked>(tile, scales, 16 * u, lane, [&](int m, const uint32_t(&a)[4]) {
#pragma unroll
        for (int n = 0; n < kRowTiles; ++n) Mma::run(acc_[m][n], a, w[n]);
      });
    }
  }

  // What a lane has of a node: of each tile of 8 rows the accumulators, and the states of its two columns.
  struct RowSums {
    float acc[kSteps][4];
    SoftmaxState state[2];
  };
  struct Sums {
    RowSums rows[kRowTiles];
  };
  // The leaves of a node are chained in registers where these suffice, else in the warp's slot.
  static constexpr bool kChains = kSteps * kRowTiles <= 8;

  __device__ Sums leaf() const {
    Sums leaf;
#pragma unroll
    for (int n = 0; n < kRowTiles; ++n) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        float total = sum_[n][c];
        total = __fadd_rn(total, __shfl_xor_sync(0xFFFFFFFFu, total, 4));
        total = __fadd_rn(total, __shfl_xor_sync(0xFFFFFFFFu, total, 8));
        total = __fadd_rn(total, __shfl_xor_sync(0xFFFFFFFFu, total, 16));
        leaf.rows[n].state[c] = {max_[n][c], total};
      }
#pragma unroll
      for (int m = 0; m < kSteps; ++m) {
#pragma unroll
        for (int i = 0; i < 4; ++i) leaf.rows[n].acc[m][i] = acc_[m][n][i];
      }
    }
    return leaf;
  }
  // chain = chain, then next.
  __device__ static void append(Sums& chain, const Sums& next) {
#pragma unroll
    for (int n = 0; n < kRowTiles; ++n) append(chain.rows[n], next.rows[n]);
  }

  // Puts a node into the warp's slot: as the slot's first, or folded into what is there.
  __device__ void put(const Sums& node, float* slot, SoftmaxState* states, int pitch, bool first) const {
#pragma unroll
    for (int n = 0; n < kRowTiles; ++n) {
      RowSums rows = node.rows[n];
      if (!first) {
        rows = read(n, slot, states, pitch);
        append(rows, node.rows[n]);
      }
      write(rows, n, slot, states, pitch);
    }
    __syncwarp();
  }
  // above, kept outside registers as it is met rarely, becomes above, then the slot's node; or the slot's node alone.
  __device__ void climb(Sums& above, const float* slot, const SoftmaxState* states, int pitch, bool first) const {
#pragma unroll
    for (int n = 0; n < kRowTiles; ++n) {
      const RowSums next = read(n, slot, states, pitch);
      if (first) above.rows[n] = next;
      else append(above.rows[n], next);
    }
  }
  // The slot's node becomes the one above.
  __device__ void land(const Sums& above, float* slot, SoftmaxState* states, int pitch) const {
    put(above, slot, states, pitch, true);
  }

 private:
  __device__ static void append(RowSums& chain, const RowSums& next) {
    const FoldFactors f[2] = {fold(chain.state[0], next.state[0]), fold(chain.state[1], next.state[1])};
#pragma unroll
    for (int m = 0; m < kSteps; ++m) {
#pragma unroll
      for (int i = 0; i < 4; ++i) chain.acc[m][i] = fold(chain.acc[m][i], next.acc[m][i], f[i & 1]);
    }
  }

  // Tile n of a slot's rows.
  __device__ RowSums read(int n, const float* slot, const SoftmaxState* states, int pitch) const {
    RowSums rows;
    const float* at = slot + element(0, n, 0, pitch);
#pragma unroll
    for (int c = 0; c < 2; ++c) rows.state[c] = states[8 * n + 2 * t_ + c];
#pragma unroll
    for (int m = 0; m < kSteps; ++m) {
#pragma unroll
      for (int i = 0; i < 4; ++i) rows.acc[m][i] = at[offset(m, i, pitch)];
    }
    return rows;
  }
  __device__ void write(const RowSums& rows, int n, float* slot, SoftmaxState* states, int pitch) const {
    __syncwarp();  // eight lanes have read each state
    float* at = slot + element(0, n, 0, pitch);
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      if (g_ == 0) states[8 * n + 2 * t_ + c] = rows.state[c];
    }
#pragma unroll
    for (int m = 0; m < kSteps; ++m) {
#pragma unroll
      for (int i = 0; i < 4; ++i) at[offset(m, i, pitch)] = rows.acc[m][i];
    }
  }

  // Where a slot holds acc[m][n][i].
  __device__ int element(int m, int n, int i, int pitch) const {
    return (8 * n + 2 * t_ + (i & 1)) * pitch + Kind::template dim<kXPacked>(m, i >> 1, g_);
  }
  // That of acc[m][n][i] from that of acc[0][n][0].
  static __device__ constexpr int offset(int m, int i, int pitch) {
    return (i & 1) * pitch + Kind::template dim<kXPacked>(m, i >> 1, 0);
  }

  // ---- query

  // Two dims of a row, where they cannot be read at once.
  static __device__ __noinline__ uint32_t query_pair(const char* row, int low, int high) {
    const auto* elements = reinterpret_cast<const uint16_t*>(row);
    return __ldg(elements + low) | static_cast<uint32_t>(__ldg(elements + high)) << 16;
  }

  __device__ void load_whole(const char* row, int n) {
    const char* first = row + 2 * Kind::query_dims(0, 0, t_).x;
    if constexpr (Kind::neighbours) {
#pragma unroll
      for (int k = 0; k < kSteps; ++k) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          q_[k][n][half] = __ldg(reinterpret_cast<const uint32_t*>(first + 2 * Kind::query_dims(k, half, 0).x));
        }
      }
    } else {  // eight dims of two steps
#pragma unroll
      for (int k = 0; k < kSteps; k += 2) {
        const uint4 v = __ldg(reinterpret_cast<const uint4*>(first + 2 * Kind::query_dims(k, 0, 0).x));
        q_[k][n][0] = v.x;
        q_[k][n][1] = v.y;
        q_[k + 1][n][0] = v.z;
        q_[k + 1][n][1] = v.w;
      }
    }
  }
  // Pairs of dims d and d + 4 from eight neighbours.
  __device__ void interleave() {
#pragma unroll
    for (int n = 0; n < kRowTiles; ++n) {
#pragma unroll
      for (int k = 0; k < kSteps; k += 2) {
        const uint32_t low[2] = {q_[k][n][0], q_[k][n][1]}, high[2] = {q_[k + 1][n][0], q_[k + 1][n][1]};
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          q_[k + i][n][0] = __byte_perm(low[i], high[i], 0x5410);
          q_[k + i][n][1] = __byte_perm(low[i], high[i], 0x7632);
        }
      }
    }
  }

  __device__ void prepare_query() {
    const float key_scale = p_.key_scale(head_) * (Kind::gain * p_.softmax_scale);
#pragma unroll
    for (int n = 0; n < kRowTiles; ++n) {
      float scale = 1.0f;
      if constexpr (Kind::converts_query) {
        if (p_.query_dtype == VKV_DTYPE_BF16) scale = to_halves(n);
      }
      // The scale of row g is wanted by the lanes whose columns are row g.
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        scale_[n][c] = key_scale * __shfl_sync(0xFFFFFFFFu, scale, 4 * (2 * t_ + c));
        if (p_.softcap == 0.0f) scale_[n][c] *= kLog2e;
      }
    }
  }

  // bfloat16 query rows become float16, scaled by a power of two to be in range; returns what undoes it.
  __device__ float to_halves(int n) {
    uint32_t largest = 0;  // as exponent bits
#pragma unroll
    for (int k = 0; k < kSteps; ++k) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const uint32_t x = q_[k][n][half];
        largest = max(largest, max(x & 0x7F80u, x >> 16 & 0x7F80u));
      }
    }
    largest = max(largest, __shfl_xor_sync(0xFFFFFFFFu, largest, 1));
    largest = max(largest, __shfl_xor_sync(0xFFFFFFFFu, largest, 2));
    const int exponent = static_cast<int>(largest >> 7);  // 2^(exponent - 127) at most
    // The largest number comes to 2^query_exponent; a row of zeros or with infinities stays as it is.
    const int shift = exponent == 0 || exponent == 255 ? 0 : min(max(127 + Kind::query_exponent - exponent, -126), 126);
    const float by = __int_as_float((127 + shift) << 23);
#pragma unroll
    for (int k = 0; k < kSteps; ++k) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const uint32_t x = q_[k][n][half];
        q_[k][n][half] = MmaF16::pack(__uint_as_float(x << 16) * by, __uint_as_float(x & 0xFFFF0000u) * by);
      }
    }
    return __int_as_float((127 - shift) << 23);
  }

  // ---- logits

  __device__ void scale_products() {
#pragma unroll
    for (int u = 0; u < kSubtiles; ++u) {
#pragma unroll
      for (int n = 0; n < kRowTiles; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) s_[u][n][i] = __fmul_rn(s_[u][n][i], scale_[n][i & 1]);
      }
    }
  }
  // s becomes the logit in units of log2(e), -infinity where the row does not see the token.
  __device__ void logits(int32_t position, uint32_t mask, bool mixed) {
    if (p_.softcap == 0.0f) {
      scale_products();
    } else {
      const float cap = p_.softcap * kLog2e, inverse = 2.0f * kLog2e / p_.softcap;
#pragma unroll
      for (int u = 0; u < kSubtiles; ++u) {
#pragma unroll
        for (int n = 0; n < kRowTiles; ++n) {
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            // tanh(x) = 1 - 2 / (1 + e^2x)
            const float e = exp2_approx(s_[u][n][i] * scale_[n][i & 1] * inverse);
            s_[u][n][i] = cap * (1.0f - __fdividef(2.0f, 1.0f + e));
          }
        }
      }
    }
    if (p_.alibi_slopes != nullptr) add_alibi(position);
    constexpr uint32_t kAll = Kind::tile_tokens == 32 ? 0xFFFFFFFFu : 0xFFFFu;
    if (mask != kAll) {
#pragma unroll
      for (int u = 0; u < kSubtiles; ++u) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
          if ((mask >> (16 * u + Kind::template token<kXPacked>(g_ + 8 * h)) & 1) != 0) continue;
#pragma unroll
          for (int n = 0; n < kRowTiles; ++n) s_[u][n][2 * h] = s_[u][n][2 * h + 1] = -__builtin_huge_valf();
        }
      }
    }
    if (mixed) mask_rows(position);
  }

  __device__ int32_t row_position(int row, uint32_t& head) const {
    return first_position_ + static_cast<int32_t>(p_.group.divide(static_cast<uint32_t>(first_row_ + row), head));
  }

  __device__ void add_alibi(int32_t position) {
#pragma unroll
    for (int n = 0; n < kRowTiles; ++n) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        uint32_t head;
        const int32_t at = row_position(8 * n + 2 * t_ + c, head);
        const int64_t query_head = head_ * static_cast<int64_t>(p_.group.divisor) + head;
        const float slope = __ldg(p_.alibi_slopes + query_head * p_.alibi_stride) * kLog2e;
#pragma unroll
        for (int u = 0; u < kSubtiles; ++u) {
#pragma unroll
          for (int h = 0; h < 2; ++h) {
            const int32_t token = position + 16 * u + Kind::template token<kXPacked>(g_ + 8 * h);
            s_[u][n][2 * h + c] = __fmaf_rn(slope, static_cast<float>(token - at), s_[u][n][2 * h + c]);
          }
        }
      }
    }
  }

  __device__ void mask_rows(int32_t position) {
#pragma unroll
    for (int n = 0; n < kRowTiles; ++n) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const RowSight row(p_, first_position_, first_row_ + 8 * n + 2 * t_ + c, head_);
#pragma unroll
        for (int u = 0; u < kSubtiles; ++u) {
#pragma unroll
          for (int h = 0; h < 2; ++h) {
            const int32_t token = position + 16 * u + Kind::template token<kXPacked>(g_ + 8 * h);
            if (!row.sees(p_, token)) s_[u][n][2 * h + c] = -__builtin_huge_valf();
          }
        }
      }
    }
  }

  const AttentionParams& p_;
  const int g_, t_;
  const int32_t first_row_, rows_, head_;
  int32_t first_position_ = 0;
  const char* row_at_[kRowTiles];
  uint32_t q_[kSteps][kRowTiles][2];
  float scale_[kRowTiles][2];
  float s_[kSubtiles][kRowTiles][4];
  float max_[kRowTiles][2], sum_[kRowTiles][2];
  float acc_[kSteps][kRowTiles][4];
};

// ---- NVFP4 scales

// Swizzled scales of V become rows [tokens][dims / 16] in their place; those of absent tokens become 0. A word holds a group of
// the quad's four tokens, a quarter of the groups is in each of the quad's rows.
template <class Kind, int kDim>
__device__ void unswizzle_scales(uint32_t scales, uint32_t mask, int groups) {
  constexpr int kRow = Kind::template scale_bytes<kDim>, kWords = kRow / 4;
  const int token = static_cast<int>(threadIdx.x % 32), quarter = groups / 4;
  const bool present = (mask >> token & 1) != 0;
  const uint32_t from = scales + token / 4 * 4 * kRow + token % 4, to = scales + token * kRow;
  uint8_t codes[4][kWords];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int j = 0; j < kWords; ++j) codes[i][j] = present ? load_shared<uint8_t>(from + i * kRow + 4 * j) : 0;
  }
  __syncwarp();
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int j = 0; j < kWords; ++j) {
      if (j < quarter) store_shared<uint8_t>(to + i * quarter + j, codes[i][j]);
    }
  }
  __syncwarp();
}

#endif

}  // namespace vkv::cuda
