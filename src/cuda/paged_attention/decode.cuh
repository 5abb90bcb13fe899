// Paged attention for few query rows at a time, float16 and bfloat16 queries.
//
// Grid: for each part of the tree, sequence, row tile and KV head a CTA; KV heads are neighbours, so that the heads of a block
// are read at about the same time. CTA: four warps. It computes one node of the sequence's tree for up to 8 * kRowTiles rows
// (query token, query head of the group): each warp computes leaves from its own ring of tiles, nothing shared but the folds.
// Rows are the narrow operand of the matrix products: S^T = K Q^T, O^T = V^T P^T. The last CTA to arrive folds the parts.
#pragma once

#include "cuda/paged_attention/decode_params.cuh"

namespace vkv::cuda {

#ifdef __CUDACC__

// Shared memory of a CTA.
template <class Kind, int kDim, int kRowTiles>
struct DecodeShared {
  static constexpr int kRows = 8 * kRowTiles;
  static constexpr int kPitch = kDim + 4;  // floats from row to row: other banks
  static constexpr int kScales = Kind::template scale_bytes<kDim> * 32 * 2;  // NVFP4: a side's scales of a tile as halves
  static constexpr int kFixed = kDecodeWarps * (kRows * (kPitch * 4 + 8) + kScales);
  static constexpr int kStage = kDecodeWarps * 2 * TileLoader<Kind, kDim, false>::kSide;

  static constexpr int bytes(int stages) { return kFixed + stages * (kStage + kDecodeWarps * 4); }

  char* ring;
  float* slots;          // [warps][rows][kPitch]
  SoftmaxState* states;  // [warps][rows]
  char* scales;
  uint32_t* masks;  // [warps][stages]

  __device__ DecodeShared(char* base, int stages) {
    ring = base;
    slots = reinterpret_cast<float*>(ring + stages * kStage);
    states = reinterpret_cast<SoftmaxState*>(slots + kDecodeWarps * kRows * kPitch);
    scales = reinterpret_cast<char*>(states + kDecodeWarps * kRows);
    masks = reinterpret_cast<uint32_t*>(scales + kDecodeWarps * kScales);
  }
};

// ---- a warp's part: leaves

template <class Kind, int kDim, int kRowTiles, bool kXPacked>
class WarpAttention {
  using Mma = typename Kind::Mma;
  static constexpr int kSteps = kDim / 16;
  static constexpr int kSubtiles = Kind::tile_tokens / 16;
  static constexpr float kLog2e = 1.44269504088896340736f;

 public:
  __device__ WarpAttention(const DecodeParams& p, const AttentionSequence& q, int32_t first_row, int32_t rows, int32_t head)
      : p_(p.attention),
        g_(static_cast<int>(threadIdx.x % 32) / 4),
        t_(static_cast<int>(threadIdx.x) % 4),
        first_row_(first_row),
        rows_(rows),
        head_(head),
        first_position_(q.length - q.query_len) {
    load_query(p, q);
  }

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
#pragma unroll
      for (int n = 0; n < kRowTiles; ++n) s_[u][n][0] = s_[u][n][1] = s_[u][n][2] = s_[u][n][3] = 0.0f;
      Kind::template keys<kDim, kXPacked>(tile, scales, 16 * u, lane, [&](int k, const uint32_t(&a)[4]) {
#pragma unroll
        for (int n = 0; n < kRowTiles; ++n) Mma::run(s_[u][n], a, q_[k][n]);
      });
    }
  }

  // Dot products become weights; earlier sums are rescaled. `position`: of the tile's first token; bit i of `mask`: token i
  // is there; `mixed`: rows see different tokens.
  __device__ void weights(int32_t position, uint32_t mask, bool mixed) {
    logits(position, mask, mixed);
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

  // Puts the leaf into the warp's slot: as the slot's first, or folded into what is there.
  __device__ void end_leaf(float* slot, SoftmaxState* states, int pitch, bool first) {
#pragma unroll
    for (int n = 0; n < kRowTiles; ++n) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        float total = sum_[n][c];
        total = __fadd_rn(total, __shfl_xor_sync(0xFFFFFFFFu, total, 4));
        total = __fadd_rn(total, __shfl_xor_sync(0xFFFFFFFFu, total, 8));
        total = __fadd_rn(total, __shfl_xor_sync(0xFFFFFFFFu, total, 16));
        const int row = 8 * n + 2 * t_ + c;
        SoftmaxState state = {max_[n][c], total};
        FoldFactors f = {0.0f, 1.0f};
        if (!first) {
          state = states[row];
          f = fold(state, {max_[n][c], total});
          __syncwarp();
        }
        if (g_ == 0) states[row] = state;
        float* at = slot + row * pitch;
#pragma unroll
        for (int m = 0; m < kSteps; ++m) {
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            float* x = at + Kind::template dim<kXPacked>(m, half, g_);
            const float mine = acc_[m][n][2 * half + c];
            *x = first ? mine : fold(*x, mine, f);
          }
        }
      }
    }
    __syncwarp();
  }

 private:
  // ---- query

  // Two dims of a row, where they cannot be read at once.
  static __device__ __noinline__ uint32_t query_pair(const char* row, int low, int high) {
    const auto* elements = reinterpret_cast<const uint16_t*>(row);
    return __ldg(elements + low) | static_cast<uint32_t>(__ldg(elements + high)) << 16;
  }

  __device__ void load_query(const DecodeParams& p, const AttentionSequence& q) {
    const float key_scale = p_.key_scale(head_) * (Kind::gain * p_.softmax_scale);
#pragma unroll
    for (int n = 0; n < kRowTiles; ++n) {
      const int32_t row = first_row_ + 8 * n + g_;
      uint32_t head;
      const int64_t token = q.query_begin + p_.group.divide(static_cast<uint32_t>(row), head);
      const char* at = p_.query + token * p_.query_token + (head_ * static_cast<int64_t>(p_.group.divisor) + head) * p_.query_head;
      const int dims = row < rows_ ? p_.head_dim : 0;
      if (p.paired_query && Kind::neighbours) {
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
    // The largest number comes to 2^8; a row of zeros or with infinities stays as it is.
    const int shift = exponent == 0 || exponent == 255 ? 0 : min(max(135 - exponent, -126), 126);
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

  // s becomes the logit in units of log2(e), -infinity where the row does not see the token.
  __device__ void logits(int32_t position, uint32_t mask, bool mixed) {
    if (p_.softcap == 0.0f) {
#pragma unroll
      for (int u = 0; u < kSubtiles; ++u) {
#pragma unroll
        for (int n = 0; n < kRowTiles; ++n) {
#pragma unroll
          for (int i = 0; i < 4; ++i) s_[u][n][i] = __fmul_rn(s_[u][n][i], scale_[n][i & 1]);
        }
      }
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
    const bool sparse = p_.sparse.vert_stride > 1;
#pragma unroll
    for (int n = 0; n < kRowTiles; ++n) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        uint32_t head;
        const int32_t at = row_position(8 * n + 2 * t_ + c, head);
        const int32_t oldest = p_.oldest(at);
        const int32_t offset = sparse ? p_.sparse.offset(head_ * static_cast<int32_t>(p_.group.divisor) + static_cast<int32_t>(head), head_) : 0;
#pragma unroll
        for (int u = 0; u < kSubtiles; ++u) {
#pragma unroll
          for (int h = 0; h < 2; ++h) {
            const int32_t token = position + 16 * u + Kind::template token<kXPacked>(g_ + 8 * h);
            bool sees = token <= at && token >= oldest;
            if (sparse && sees) {
              const uint32_t block = p_.pages.block_size.divide(static_cast<uint32_t>(token)) * p_.pages.block_size.divisor;
              sees = p_.sparse.attends(at, block, offset);
            }
            if (!sees) s_[u][n][2 * h + c] = -__builtin_huge_valf();
          }
        }
      }
    }
  }

  const AttentionParams& p_;
  const int g_, t_;
  const int32_t first_row_, rows_, head_, first_position_;
  uint32_t q_[kSteps][kRowTiles][2];
  float scale_[kRowTiles][2];
  float s_[kSubtiles][kRowTiles][4];
  float max_[kRowTiles][2], sum_[kRowTiles][2];
  float acc_[kSteps][kRowTiles][4];
};

// ---- NVFP4 scales

// Bytes of scales as they lie in memory become halves [dims / 16][32 tokens] times 2^7; those of absent tokens become 0. A
// lane does its own token's.
template <class Kind, int kDim>
__device__ void widen_scales(uint32_t from, uint32_t to, uint32_t mask, int groups, bool swizzled) {
  if constexpr (Kind::template scale_bytes<kDim> != 0) {
    constexpr int kRow = Kind::template scale_bytes<kDim>;
    const int token = static_cast<int>(threadIdx.x % 32);
    const bool present = (mask >> token & 1) != 0;
    const int quarter = groups / 4;
#pragma unroll
    for (int g = 0; g < kRow; ++g) {
      const int row = swizzled ? token / 4 * 4 + g / max(quarter, 1) : token;
      const int byte = swizzled ? g % max(quarter, 1) * 4 + token % 4 : g;
      uint16_t code = 0;
      if (present && g < groups) asm volatile("ld.shared.u8 %0, [%1];" : "=h"(code) : "r"(from + row * kRow + byte) : "memory");
      const __half2_raw h = __nv_cvt_fp8x2_to_halfraw2(code, __NV_E4M3);
      const __half scale = __hmul(__half(__half_raw{h.x}), __float2half(128.0f));
      asm volatile("st.shared.u16 [%0], %1;" ::"r"(to + (g * 32 + token) * 2), "h"(__half_as_ushort(scale)) : "memory");
    }
    __syncwarp();
  }
}

// ---- the kernel

__device__ inline void wait_for_stage(int stages) {
  switch (stages) {  // groups that may be under way: all but the oldest
    case 1: cp_async_wait<1>(); break;
    case 2: cp_async_wait<3>(); break;
    case 3: cp_async_wait<5>(); break;
    case 4: cp_async_wait<7>(); break;
    case 5: cp_async_wait<9>(); break;
    default: cp_async_wait<11>(); break;
  }
  __syncwarp();
}

template <class Kind, int kDim, int kRowTiles, bool kXPacked>
__global__ void __launch_bounds__(32 * kDecodeWarps, kDim * kRowTiles <= 256 ? 2 : 1)
    decode_kernel(const __grid_constant__ DecodeParams params) {
  constexpr int kTokens = Kind::tile_tokens, kRows = 8 * kRowTiles;
  using Shared = DecodeShared<Kind, kDim, kRowTiles>;
  using Loader = TileLoader<Kind, kDim, kXPacked>;
  using Part = Node<kDim, kRows, 32 * kDecodeWarps>;
  extern __shared__ __align__(128) char memory[];
  const AttentionParams& p = params.attention;
  const int stages = params.loader.stages;
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);

  uint32_t head, row_tile, s;
  uint32_t rest = params.kv_heads_div.divide(blockIdx.x, head);
  rest = params.row_tiles_div.divide(rest, row_tile);
  // Later parts first: only long sequences have them.
  const auto part = static_cast<int32_t>((1u << (2 * params.most_cut)) - 1 - params.seqs_div.divide(rest, s));

  const bool reports = head == 0 && row_tile == 0 && part == 0 && warp == 0;
  const AttentionSequence q = p.sequences.read(static_cast<int32_t>(s), reports);
  const int32_t rows = q.query_len * static_cast<int32_t>(p.group.divisor);
  const auto first_row = static_cast<int32_t>(row_tile * kRows);
  if (first_row >= rows || q.query_len > params.longest_query) return;
  const AttentionTree tree = AttentionTree::of<kTokens>(p, q, params.most_depth);
  const int cut = tree_cut(tree.tiles, tree.depth, params.least_cut, params.most_cut, params.chunk_tiles);
  if (part >> (2 * cut) != 0) return;

  // Tokens that some row of this tile sees, and the rows' positions.
  const int32_t first_position = q.length - q.query_len + static_cast<int32_t>(p.group.divide(static_cast<uint32_t>(first_row)));
  const int32_t last_position = q.length - q.query_len +
                                static_cast<int32_t>(p.group.divide(static_cast<uint32_t>(min(first_row + kRows, rows) - 1)));
  const int32_t low = p.oldest(first_position), high = last_position + 1;
  const int32_t low_tile = max(low - tree.origin, 0) / kTokens, high_tile = max(high - tree.origin + kTokens - 1, 0) / kTokens;

  const Shared shared(memory, stages);
  char* ring = shared.ring + warp * stages * 2 * Loader::kSide;
  const uint32_t scales = shared_address(shared.scales + warp * Shared::kScales);
  if (p.head_dim < kDim) {  // dims past the head are never copied
    for (int i = lane * 16; i < stages * 2 * Loader::kSide; i += 512) *reinterpret_cast<uint4*>(ring + i) = {};
    __syncwarp();
  }
  Loader loader(p, params.loader, static_cast<int32_t>(s), q, tree.origin, low, high, static_cast<int32_t>(head), head == 0, ring,
                shared.masks + warp * stages);

  // This CTA's node: of level `level`, cut into rounds; in a round each warp has one or four leaves.
  const int level = tree.depth - cut;
  const int rounds = level >= 2 ? 1 << (2 * level - 4) : 1, leaves = level >= 2 ? 4 : 1;
  const int32_t first_leaf = part << (2 * level);
  const auto leaf_begin = [&](int round, int leaf) {
    return min(max(tree.first_tile(first_leaf + (round * kDecodeWarps + warp) * leaves + leaf), low_tile), high_tile);
  };
  const auto advance = [&](TileCursor& c) {
    if (c.tile < c.end) ++c.tile;
    while (c.tile >= c.end && ++c.round < rounds) {
      c.tile = leaf_begin(c.round, 0);
      c.end = leaf_begin(c.round, leaves);
    }
  };
  TileCursor ahead = {0, 0, -1};
  const auto more = [&] { return ahead.round < rounds; };
  advance(ahead);
  if (more()) loader.look_up(ahead.tile);
#pragma unroll 1
  for (int i = 0; i < stages; ++i) {
    const bool wanted = more();
    loader.request_key(i, wanted);
    loader.request_value(i, wanted);
    if (wanted) advance(ahead);
    if (wanted && more()) loader.look_up(ahead.tile);
  }

  WarpAttention<Kind, kDim, kRowTiles, kXPacked> attention(params, q, first_row, rows, static_cast<int32_t>(head));
  float* slot = shared.slots + warp * kRows * Shared::kPitch;
  SoftmaxState* states = shared.states + warp * kRows;
  Part node, upper[kMostDepth - 2];
  int at = 0;  // place of the tile at hand
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
      for (; tile < end; ++tile) {
        const bool wanted = more();
        wait_for_stage(stages);
        const uint32_t mask = loader.mask(at);
        widen_scales<Kind, kDim>(loader.key_tile(at) + kTokens * Loader::kRow, scales, mask, p.head_dim / 16, false);
        attention.keys(loader.key_tile(at), scales);
        __syncwarp();
        loader.request_key(at, wanted);
        const int32_t position = tree.origin + tile * kTokens;
        const bool mixed = position + kTokens - 1 > first_position || position < p.oldest(last_position) || p.sparse.vert_stride > 1;
        attention.weights(position, mask, mixed && (last_position != first_position || p.sparse.vert_stride > 1));
        wait_for_stage(stages);
        widen_scales<Kind, kDim>(loader.value_tile(at) + kTokens * Loader::kRow, scales, mask, p.head_dim / 16, p.swizzled_v);
        attention.values(loader.value_tile(at), scales);
        __syncwarp();
        loader.request_value(at, wanted);
        if (wanted) advance(ahead);
        if (wanted && more()) loader.look_up(ahead.tile);
        at = at + 1 == stages ? 0 : at + 1;
      }
      attention.end_leaf(slot, states, Shared::kPitch, first);
      first = false;
    }
    if (first && lane < kRows) states[lane] = {-__builtin_huge_valf(), 0.0f};
    __syncthreads();
    node.gather(shared.slots, shared.states, Shared::kPitch, kDecodeWarps);
    __syncthreads();
    // A node is the chain of its four children; the fourth one ends it. Upper nodes are seldom needed: not in registers.
#pragma unroll 1
    for (int k = 0; k < kMostDepth - 2; ++k) {
      if (k >= level - 2) break;
      const int child = round >> (2 * k) & 3;
      if (child == 0) upper[k] = node;
      else upper[k].append(node);
      if (child != 3) break;
      node = upper[k];
    }
  }

  if (cut > 0) {
    const int64_t unit = (static_cast<int64_t>(s) * params.row_tiles + row_tile) * p.num_kv_heads + head;
    if (!fold_parts(node, params.arrivals, params.partials, unit << (2 * params.most_cut), part, cut)) return;
  }
  node.finish(p, q, first_row, rows, static_cast<int32_t>(head), Kind::gain, params.vector_out);
}

#endif

}  // namespace vkv::cuda
