// The inner loops of attention, one table per vector unit. A tile is kTile tokens of one KV head, a row a query token and
// head. Rows of floats are `ld` apart: head_dim rounded up to kTile, the rest zero.
//
// Whatever rows are computed together, and from whatever layout, a row's bits come from the same operations in the same
// order.
#pragma once

#include <cstdint>

#include "cpu/isa.hpp"
#include "vkv.h"

namespace vkv::cpu {

inline constexpr int kTile = 16;
inline constexpr int kPiece = 256;  // tokens that one softmax covers before partial results are folded
inline constexpr int kTilesPerPiece = kPiece / kTile;

// Where the numbers of a tile's tokens lie, for one head.
struct AttentionTile {
  const char* base;
  const int64_t* at;  // [kTile]: bytes from base to each token
  int64_t pitch;      // x-packed: bytes from one run of 16 bytes of a token to the next (keys), or from dim to dim (values)
};

// The tile at hand, the one that will be at hand next, and one that comes later: while a kernel computes, it asks the
// caches for the other two, as many bytes at each step as the step reads.
struct AttentionTiles {
  AttentionTile now, next, later;
};

// An NVFP4 tile: `at` leads to a token's block, `offset` is the token in it. Pitches are from token to token.
struct Nvfp4Tile {
  const char* base;
  const int64_t* at;
  const int32_t* offset;
  int64_t data, data_pitch;      // bytes from a block to the head's data, ...
  int64_t scales, scale_pitch;   // ... and to its scales
  bool swizzled;
};

// Softmax state of rows over some tokens: out = acc / sum, each e^-max too large. sum < 0: no token is attended to, and
// max and acc mean nothing.
struct AttentionState {
  float* max;  // [rows]
  float* sum;  // [rows]
  float* acc;  // [rows, ld]
};

// From a dot product to a logit.
struct Logits {
  float scale;
  float softcap;   // 0 = off
  float slope;     // 0 = off
  float distance;  // position of the piece's first token minus the row's
};

struct AttentionKernels {
  // logits[r * kPiece + t] = dot(q[r], key t) for all tokens of the tile.
  using Scores = void (*)(const AttentionTiles& keys, const float* q, int64_t rows, int64_t head_dim, int64_t ld,
                          float* logits);
  // acc[r] += weights[r * kPiece + t] * value t for t in [begin, end).
  using Accumulate = void (*)(const AttentionTiles& values, const float* weights, int64_t rows, int64_t begin,
                              int64_t end, int64_t head_dim, int64_t ld, float* acc);
  // tile[t * ld + d] = number d of token t, in float32.
  using Stage = void (*)(const AttentionTile& from, int64_t head_dim, float* tile, int64_t ld);

  // For one dtype and layout, K or V. Kernels see the stored numbers divided by `gain`, and know nothing of scales.
  struct Source {
    Scores scores;          // null: only by way of a staged tile
    Accumulate accumulate;  // likewise; of x-packed values the tokens must be neighbours
    Stage stage;
    float gain;
  };
  Source strided[5], x_keys[5], x_values[5];  // by dtype_index()
  Source staged;                              // tiles that are there already; asks for nothing
  void (*stage_nvfp4)(const Nvfp4Tile& from, int64_t head_dim, float* tile, int64_t ld);

  // One row of dot products over `tiles` tiles becomes weights e^(logit - max), in place. Bit t of mask[i] says whether
  // the row attends to token t of tile i; the others weigh 0 whatever their dot product. At least one bit must be set.
  void (*softmax)(float* row, const uint16_t* mask, int64_t first_tile, int64_t tiles, const Logits& logits, float* max,
                  float* sum);
  // into = into and then `from`, which covers later tokens.
  void (*fold)(const AttentionState& into, const AttentionState& from, int64_t rows, int64_t ld);
  // The end of one row: acc = acc / sum * scale, in place, after `sink` (null: none) has joined max and sum. A row
  // without tokens, or whose every logit is -infinity, becomes 0; with no sink to it, its max is -infinity and its sum 0.
  void (*finish)(float* max, float* sum, float* acc, const float* sink, float scale, int64_t ld);

  static constexpr int dtype_index(vkv_dtype dtype) {
    switch (dtype) {
      case VKV_DTYPE_F16: return 0;
      case VKV_DTYPE_BF16: return 1;
      case VKV_DTYPE_F32: return 2;
      case VKV_DTYPE_FP8_E4M3: return 3;
      default: return 4;  // e5m2
    }
  }
};

const AttentionKernels& attention_kernels(Isa isa);

}  // namespace vkv::cpu
