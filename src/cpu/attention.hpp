// The inner loops of attention, one table per vector unit. A tile is kTile tokens of one KV head in float32, a row a
// query token and head. Rows of floats are `ld` apart: head_dim rounded up to kTile, the rest zero.
//
// Whatever rows are computed together, a row's bits come from the same operations in the same order.
#pragma once

#include <cstdint>

#include "cpu/isa.hpp"
#include "vkv.h"

namespace vkv::cpu {

inline constexpr int kTile = 16;
inline constexpr int kPiece = 256;  // tokens that one softmax covers before partial results are folded
inline constexpr int kTilesPerPiece = kPiece / kTile;

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

// `tokens` tokens of an NVFP4 cache from token `first` of a block on, for one head. Pitches are from token to token.
struct Nvfp4Tokens {
  const uint8_t* data;    // of token `first`
  const uint8_t* scales;  // of token 0 of the block
  int64_t data_pitch, scale_pitch;
  int64_t first, tokens;
  bool swizzled;
};

struct AttentionKernels {
  // Widens `tokens` tokens into tile rows. `pitch` bytes apart in the cache lie: tokens (strided caches), groups of
  // 16 bytes of a token (x-packed keys), dims (x-packed values). Values of e4m3 and e5m2 come without their scale.
  using Stage = void (*)(const void* first, int64_t pitch, int64_t tokens, int64_t head_dim, float* tile, int64_t ld);
  Stage strided(vkv_dtype dtype) const { return strided_[index(dtype)]; }
  Stage x_keys(vkv_dtype dtype) const { return x_keys_[index(dtype)]; }
  Stage x_values(vkv_dtype dtype) const { return x_values_[index(dtype)]; }
  void (*nvfp4)(const Nvfp4Tokens& from, int64_t head_dim, float* tile, int64_t ld);

  // logits[r * kPiece + t] = dot(q[r], tile[t]) for all tokens of a tile.
  void (*scores)(const float* q, int64_t rows, const float* tile, int64_t ld, float* logits);
  // One row of dot products over `tiles` tiles becomes weights e^(logit - max), in place. Bit t of mask[i] says whether
  // the row attends to token t of tile i; the others weigh 0 whatever their dot product. At least one bit must be set.
  void (*softmax)(float* row, const uint16_t* mask, int64_t first_tile, int64_t tiles, const Logits& logits, float* max,
                  float* sum);
  // acc[r] += weights[r * kPiece + t] * tile[t] for t in [begin, end).
  void (*accumulate)(const float* weights, int64_t rows, const float* tile, int64_t begin, int64_t end, int64_t ld,
                     float* acc);
  // into = into and then `from`, which covers later tokens.
  void (*fold)(const AttentionState& into, const AttentionState& from, int64_t rows, int64_t ld);
  // The end of one row: acc = acc / sum * scale, in place, after `sink` (null: none) has joined max and sum. A row
  // without tokens, or whose every logit is -infinity, becomes 0; with no sink to it, its max is -infinity and its sum
  // 0.
  void (*finish)(float* max, float* sum, float* acc, const float* sink, float scale, int64_t ld);

  Stage strided_[5], x_keys_[5], x_values_[5];

 private:
  static int index(vkv_dtype dtype) {
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
