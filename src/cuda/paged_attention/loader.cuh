// A warp's own ring of tiles in shared memory: the warp asks for a tile as soon as the place is free, several tiles ahead of
// the one that it computes, and finds each token's block itself. Tokens that are outside the sequence, or whose block id is out
// of range, are filled with zeros; nothing of theirs is read.
//
// A lane looks up one token of the tile. Copies are 16 bytes where addresses allow, else put together from narrower loads.
#pragma once

#include "cuda/paged_attention/kinds.cuh"

namespace vkv::cuda {

struct LoaderPolicy {
  int32_t stages;      // tiles in the ring
  int32_t piece_bytes; // of K's and V's addresses: 16 for asynchronous copies, else the width of a load (8, 4, 2, 1)
  bool runs;           // x-packed V: 16 bytes of tokens never leave a block
  bool one_block;      // a tile never leaves a block
};

#ifdef __CUDACC__

// Tiles [tile, end) are next; then those of the next round.
struct TileCursor {
  int32_t tile, end, round;
};

template <class Kind, int kDim>
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
        cache_policy_(evict_first_policy()),
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
    if (p_.x_packed && kValue) copy_runs(base, side, to);
    else copy_rows(base, side, to);
  }

  __device__ void copy_rows(const char* base, const CacheSide& side, uint32_t to) {
    const int64_t at = block_ * side.block + place_ * side.token;
    const int64_t first = shuffle(at, 0);
    // x-packed: neighbours in memory are tokens, else pieces of a row.
    constexpr int kCopies = kTokens * kPieces;
#pragma unroll
    for (int i = 0; i < (kCopies + 31) / 32; ++i) {
      const int n = i * 32 + lane_;
      const int token = p_.x_packed ? n % kTokens : n / kPieces, piece = p_.x_packed ? n / kTokens : n % kPieces;
      const int64_t row = policy_.one_block && (valid_ & 1) != 0 ? first + token * side.token : shuffle(at, token % kTokens);
      if ((kCopies % 32 != 0 && n >= kCopies) || piece >= pieces_) continue;
      const bool present = (valid_ >> token & 1) != 0;
      const char* from = base + (present ? row + piece * side.pitch : 0);
      const uint32_t target = to + token * kRow + 16 * swizzled<kPieces>(token, piece);
      if (policy_.piece_bytes == 16) {
        cp_async16(target, from, present ? 16 : 0, cache_policy_);
      } else {
        put(target, from, present ? min(16, p_.head_dim * kRow / kDim - 16 * piece) : 0, policy_.piece_bytes);
      }
    }
  }

  // x-packed V: [dim][tokens of the tile], 32 bytes a dim.
  __device__ void copy_runs(const char* base, const CacheSide& side, uint32_t to) {
    constexpr int kElement = 32 / kTokens, kRunTokens = 16 / kElement;
    const int64_t at = block_ * side.block + place_ * side.token;
#pragma unroll 4
    for (int i = 0; i < kDim / 16; ++i) {
      const int n = i * 32 + lane_, dim = n / 2, half = n % 2;
      const int64_t run = shuffle(at, half * kRunTokens);
      const uint32_t present = valid_ >> (half * kRunTokens) & ((1u << kRunTokens) - 1);
      const uint32_t target = to + dim * 32 + 16 * swizzled_run(dim, half);
      const bool prefix = (present & (present + 1)) == 0;  // all, none, or the first ones
      const bool whole = policy_.runs && policy_.piece_bytes == 16 && prefix;
      if (__all_sync(0xFFFFFFFFu, whole)) {
        if (dim >= p_.head_dim) continue;
        cp_async16(target, base + (present != 0 ? run + dim * side.pitch : 0), __popc(present) * kElement, cache_policy_);
        continue;
      }
      alignas(16) uint8_t bytes[16];
#pragma unroll
      for (int j = 0; j < kRunTokens; ++j) {
        const int64_t token = shuffle(at, half * kRunTokens + j);
        const bool there = (present >> j & 1) != 0 && dim < p_.head_dim;
        const char* from = base + (there ? token + dim * side.pitch : 0);
        if constexpr (kElement == 1) {
          bytes[j] = there ? *reinterpret_cast<const uint8_t*>(from) : 0;
        } else {
          reinterpret_cast<uint16_t*>(bytes)[j] = there ? *reinterpret_cast<const uint16_t*>(from) : 0;
        }
      }
      store(target, bytes);
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
    const int bytes = p_.head_dim / 16;
    const char* from = side.data + (quad != 0 ? row : 0);
    const uint32_t target = to + lane_ * kScaleRow;
    if (policy_.piece_bytes == 16 && bytes % 4 == 0) {  // then every row is a multiple of 4 from its block
      for (int i = 0; i < bytes; i += 4) cp_async4(target + i, from + i, quad != 0 ? 4 : 0);
    } else {
      for (int i = 0; i < bytes; ++i) {
        const uint16_t byte = quad != 0 ? *reinterpret_cast<const uint8_t*>(from + i) : 0;
        asm volatile("st.shared.u8 [%0], %1;" ::"r"(target + i), "h"(byte) : "memory");
      }
    }
  }

  // 16 bytes of shared memory from `count` bytes of global memory, `width` at a time.
  static __device__ __noinline__ void put(uint32_t to, const char* from, int count, int width) {
    alignas(16) uint8_t bytes[16] = {};
    for (int i = 0; i < count; i += width) {
      if (width == 8) *reinterpret_cast<uint64_t*>(bytes + i) = __ldg(reinterpret_cast<const unsigned long long*>(from + i));
      else if (width == 4) *reinterpret_cast<uint32_t*>(bytes + i) = __ldg(reinterpret_cast<const uint32_t*>(from + i));
      else if (width == 2) *reinterpret_cast<uint16_t*>(bytes + i) = __ldg(reinterpret_cast<const uint16_t*>(from + i));
      else bytes[i] = __ldg(reinterpret_cast<const uint8_t*>(from + i));
    }
    store(to, bytes);
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
  uint64_t cache_policy_;
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
