// A warp's own ring of tiles in shared memory: the warp asks for a tile as soon as the place is free, several tiles ahead of
// the one that it computes, and finds each token's block itself. Tokens that are outside the sequence, or whose block id is out
// of range, are filled with zeros; nothing of theirs is read.
//
// A lane looks up one token of the tile. Copies are 16 bytes where addresses allow, else put together from narrower loads.
#pragma once

#include "cuda/paged_attention/kinds.cuh"

namespace vkv::cuda {

constexpr int kMostStages = 4;

struct LoaderPolicy {
  int32_t stages;      // tiles in the ring
  int32_t piece_bytes; // of K's and V's addresses: 16 for asynchronous copies, else the width of a load (8, 4, 2, 1)
  bool runs;           // x-packed V: 16 bytes of tokens never leave a block
  bool sixteens;       // 16 tokens that begin at a multiple of 16 never leave a block
};

#ifdef __CUDACC__

template <class Kind, int kDim, bool kXPacked>
class TileLoader {
 public:
  static constexpr int kTokens = Kind::tile_tokens;
  static constexpr int kRow = Kind::template row_bytes<kDim>;
  static constexpr int kPieces = kRow / 16;
  static constexpr int kScaleRow = Kind::template scale_bytes<kDim>;
  static constexpr int kSide = kTokens * (kRow + kScaleRow);  // bytes of K or V of a tile

  __device__ TileLoader(const AttentionParams& p, const LoaderPolicy& policy, int32_t s, const AttentionSequence& q,
                        int32_t origin, int32_t low, int32_t high, int32_t head, bool reports, char* ring, uint32_t* masks)
      : p_(p),
        policy_(policy),
        q_(q),
        table_(p.pages.row(s, q)),
        key_(p.key.data + head * p.key.head),
        value_(p.value.data + head * p.value.head),
        scale_head_(head),
        ring_(shared_address(ring)),
        masks_(masks),
        origin_(origin),
        low_(low),
        high_(high),
        s_(s),
        lane_(static_cast<int>(threadIdx.x % 32)),
        pieces_((p.head_dim * kRow / kDim + 15) / 16),
        reports_(reports) {}

  __device__ uint32_t key_tile(int slot) const { return ring_ + static_cast<uint32_t>(slot) * 2 * kSide; }
  __device__ uint32_t value_tile(int slot) const { return key_tile(slot) + kSide; }
  // Which tokens of the tile are there.
  __device__ uint32_t mask(int slot) const { return masks_[slot]; }

  // Reads the id of this lane's token of a tile, for the request that follows.
  __device__ void look_up(int32_t tile) {
    const int32_t position = origin_ + tile * kTokens + lane_ % kTokens;
    inside_ = position >= low_ && position < high_;
    id_ = -1;
    if (inside_) {
      column_ = p_.pages.block_size.divide(static_cast<uint32_t>(position), offset_);
      id_ = __ldg(table_ + column_ * p_.pages.entry_stride);
    }
  }
  // Enqueues K of the tile looked up last, or nothing.
  __device__ void request_key(int slot, bool wanted) {
    if (wanted) {
      const bool present = inside_ && static_cast<uint32_t>(id_) < p_.pages.num_blocks;
      if (inside_ && !present && reports_ && lane_ < kTokens && first_of_block()) {
        p_.pages.report_block(s_, q_, column_, id_);
      }
      valid_ = __ballot_sync(0xFFFFFFFFu, present);
      if constexpr (kTokens == 16) valid_ &= 0xFFFFu;
      block_ = present ? id_ : 0;
      place_ = present ? offset_ : 0;
      if (lane_ == 0) masks_[slot] = valid_;
      copy<false>(key_, p_.key, key_tile(slot));
    }
    cp_async_commit();
  }
  // Enqueues V of the same tile.
  __device__ void request_value(int slot, bool wanted) {
    if (wanted) copy<true>(value_, p_.value, value_tile(slot));
    cp_async_commit();
  }

 private:
  // One lane tells for all tokens of a block in this tile.
  __device__ bool first_of_block() const { return offset_ == 0 || lane_ == 0 || origin_token() == low_; }
  __device__ int32_t origin_token() const { return static_cast<int32_t>(column_ * p_.pages.block_size.divisor + offset_); }

  template <bool kValue>
  __device__ void copy(const char* base, const CacheSide& side, uint32_t to) {
    if constexpr (kScaleRow != 0) copy_scales<kValue>(side, to + kTokens * kRow);
    const int64_t at = block_ * side.block + place_ * side.token;
    if constexpr (kXPacked && kValue) {
      // All of the tokens of each 16 bytes are there, or none, or the first ones.
      constexpr uint32_t kRun = kTokens == 16 ? 0xFFu : 0xFFFFu;
      const uint32_t low = valid_ & kRun, high = valid_ >> (kTokens / 2);
      const bool prefix = (low & (low + 1)) == 0 && (high & (high + 1)) == 0;
      if (policy_.runs && policy_.piece_bytes == 16 && prefix) copy_runs(base, side, at, to);
      else gather_runs(base, side.pitch, at, valid_, p_.head_dim, to);
    } else if (policy_.piece_bytes != 16) {
      gather_rows(base, side.pitch, at, valid_, p_.head_dim * kRow / kDim, policy_.piece_bytes, to);
    } else if (kXPacked) {
      copy_pieces(base + at, side.pitch, to);
    } else if (policy_.sixteens && whole_or_prefix()) {
      copy_sixteens(base, at, side.token, to);
    } else {
      copy_tokens(base, at, valid_, pieces_, to);
    }
  }

  // Whether of each 16 tokens the first is there, or none.
  __device__ bool whole_or_prefix() const {
    const uint32_t low = valid_ & 0xFFFFu, high = valid_ >> 16;
    return ((low & 1) != 0 || low == 0) && ((high & 1) != 0 || high == 0);
  }

  // Pieces of a tile, neighbours in memory a row's. 32 at a time: rows i * kRowsAtOnce + lane / kPieces.
  static constexpr int kCopies = kTokens * kPieces;
  static constexpr int kRowsAtOnce = kPieces >= 32 ? 1 : 32 / kPieces;

  __device__ void copy_sixteens(const char* base, int64_t at, int64_t stride, uint32_t to) {
    static_assert(kCopies % 32 == 0 && kPieces <= 32, "a copy is one row or several whole ones");
    const int row = lane_ / kPieces, piece = lane_ % kPieces;
    const bool wanted = piece < pieces_;
    const uint32_t present = wanted ? valid_ >> row : 0;
    const int64_t offset = row * stride + 16 * piece;
    const int64_t step = kRowsAtOnce * stride;
#pragma unroll
    for (int u = 0; u < kTokens / 16; ++u) {
      const char* from = base + (shuffle(at, 16 * u) + offset);
#pragma unroll
      for (int j = 0; j < 16 / kRowsAtOnce; ++j) {
        const int first = 16 * u + j * kRowsAtOnce;  // rows first + row: bits of the swizzle do not carry
        const uint32_t target = to + first * kRow + row * kRow + 16 * swizzled<kPieces>(first + row, piece);
        if (wanted) cp_async16(target, from, (present >> first & 1u) << 4, kEvictFirst);
        from += step;
      }
    }
  }
  // x-packed K: neighbours in memory are tokens; a lane copies pieces of its own token.
  __device__ void copy_pieces(const char* from, int64_t pitch, uint32_t to) {
    const int token = lane_ % kTokens;
    const uint32_t bytes = (valid_ >> token & 1) << 4;
    constexpr int kStep = 32 / kTokens;
    const int first = lane_ / kTokens;
    from += first * pitch;
#pragma unroll
    for (int j = 0; j < kPieces / kStep; ++j) {
      const int piece = j * kStep + first;
      if (piece < pieces_) cp_async16(to + 16 * (piece * kTokens + swizzled_token(token)), from, bytes, kEvictFirst);
      from += kStep * pitch;
    }
  }
  // Each token wherever it is.
  static __device__ __noinline__ void copy_tokens(const char* base, int64_t at, uint32_t valid, int pieces, uint32_t to) {
    const int lane = static_cast<int>(threadIdx.x % 32), row = lane / kPieces, piece = lane % kPieces;
#pragma unroll 4
    for (int j = 0; j < kTokens / kRowsAtOnce; ++j) {
      const int token = j * kRowsAtOnce + row;
      const char* from = base + (shuffle(at, token) + 16 * piece);
      if (piece < pieces) cp_async16(to + token * kRow + 16 * swizzled<kPieces>(token, piece), from, (valid >> token & 1) << 4, kEvictFirst);
    }
  }

  // x-packed V: the tile's tokens of a dim, 16 bytes each half.
  static constexpr int kElement = 32 / kTokens, kRunTokens = 16 / kElement;

  __device__ void copy_runs(const char* base, const CacheSide& side, int64_t at, uint32_t to) {
    const int half = lane_ % 2;
    const int64_t run = shuffle(at, half * kRunTokens);
    const int count = __popc(valid_ >> (half * kRunTokens) & ((1u << kRunTokens) - 1));
    const char* from = count != 0 ? base + run : base;
#pragma unroll
    for (int i = 0; i < kDim / 16; ++i) {
      const int dim = i * 16 + lane_ / 2;
      if (dim >= p_.head_dim) continue;
      cp_async16(to + Kind::template run<kDim>(dim, half), from + (count != 0 ? dim * side.pitch : 0), count * kElement, kEvictFirst);
    }
  }

  // ---- any alignment: out of line, as the same bytes would come out

  static __device__ __noinline__ void gather_rows(const char* base, int64_t pitch, int64_t at, uint32_t valid, int row_bytes,
                                                  int width, uint32_t to) {
#pragma unroll 1
    for (int i = 0; i < (kCopies + 31) / 32; ++i) {
      const int n = i * 32 + static_cast<int>(threadIdx.x % 32);
      const int token = kXPacked ? n % kTokens : n / kPieces, piece = kXPacked ? n / kTokens : n % kPieces;
      const int64_t row = shuffle(at, token % kTokens);
      if (n >= kCopies || 16 * piece >= row_bytes) continue;
      alignas(16) uint8_t bytes[16] = {};
      const int count = (valid >> token & 1) != 0 ? min(16, row_bytes - 16 * piece) : 0;
      const char* from = base + row + piece * pitch;
#pragma unroll 1
      for (int j = 0; j < count; j += width) {
        if (width == 8) *reinterpret_cast<uint64_t*>(bytes + j) = *reinterpret_cast<const uint64_t*>(from + j);
        else if (width == 4) *reinterpret_cast<uint32_t*>(bytes + j) = *reinterpret_cast<const uint32_t*>(from + j);
        else if (width == 2) *reinterpret_cast<uint16_t*>(bytes + j) = *reinterpret_cast<const uint16_t*>(from + j);
        else bytes[j] = *reinterpret_cast<const uint8_t*>(from + j);
      }
      store(to + (kXPacked ? 16 * (piece * kTokens + swizzled_token(token)) : token * kRow + 16 * swizzled<kPieces>(token, piece)), bytes);
    }
  }

  static __device__ __noinline__ void gather_runs(const char* base, int64_t pitch, int64_t at, uint32_t valid, int dims, uint32_t to) {
#pragma unroll 1
    for (int i = 0; i < kDim / 16; ++i) {
      const int n = i * 32 + static_cast<int>(threadIdx.x % 32), dim = n / 2, half = n % 2;
      alignas(16) uint8_t bytes[16] = {};
#pragma unroll 1
      for (int j = 0; j < kRunTokens; ++j) {
        const int token = half * kRunTokens + j;
        const int64_t row = shuffle(at, token);
        if ((valid >> token & 1) == 0 || dim >= dims) continue;
        const char* from = base + row + dim * pitch;
        if constexpr (kElement == 1) bytes[j] = *reinterpret_cast<const uint8_t*>(from);
        else reinterpret_cast<uint16_t*>(bytes)[j] = *reinterpret_cast<const uint16_t*>(from);
      }
      store(to + Kind::template run<kDim>(dim, half), bytes);
    }
  }

  // NVFP4: a row of scales as it lies in memory. Swizzled V: the four rows of a quad of tokens hold one another's.
  template <bool kValue>
  __device__ void copy_scales(const CacheSide& side, uint32_t to) {
    const int64_t at = block_ * side.block + side.scales + scale_head_ * side.scale_head + place_ * side.scale_token;
    const uint32_t quad = kValue && p_.swizzled_v ? valid_ >> (lane_ / 4 * 4) & 15u : valid_ >> lane_ & 1u;
    // All rows of a quad with a token lie in its block.
    const int known = kValue && p_.swizzled_v && quad != 0 ? lane_ / 4 * 4 + __ffs(static_cast<int>(quad)) - 1 : lane_;
    const int64_t row = shuffle(at, known) + (lane_ - known) * side.scale_token;
    if (lane_ >= kTokens) return;
    const int bytes = p_.head_dim / 16;
    const char* from = side.data + (quad != 0 ? row : 0);
    const uint32_t target = to + lane_ * kScaleRow;
    if (policy_.piece_bytes == 16 && bytes % 4 == 0) {  // then every row is a multiple of 4 from its block
      for (int i = 0; i < bytes; i += 4) cp_async4(target + i, from + i, quad != 0 ? 4 : 0);
    } else {
      for (int i = 0; i < bytes; ++i) {
        store_shared<uint8_t>(target + i, quad != 0 ? *reinterpret_cast<const uint8_t*>(from + i) : uint8_t{0});
      }
    }
  }

  static __device__ void store(uint32_t to, const uint8_t (&bytes)[16]) {
    const uint4 v = *reinterpret_cast<const uint4*>(bytes);
    asm volatile("st.shared.v4.u32 [%0], {%1,%2,%3,%4};" ::"r"(to), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
  }
  static __device__ int64_t shuffle(int64_t x, int lane) {
    return __shfl_sync(0xFFFFFFFFu, static_cast<long long>(x), lane);
  }

  const AttentionParams& p_;
  const LoaderPolicy& policy_;
  const AttentionSequence& q_;
  const int32_t* table_;
  const char *key_, *value_;
  int32_t scale_head_;
  uint32_t ring_;
  uint32_t* masks_;
  int32_t origin_, low_, high_, s_;
  int lane_, pieces_;
  bool reports_;
  // The token looked up last, and then the tile requested last.
  bool inside_ = false;
  int32_t id_ = -1;
  uint32_t column_ = 0, offset_ = 0;
  uint32_t valid_ = 0;
  int64_t block_ = 0, place_ = 0;
};

#endif

}  // namespace vkv::cuda
