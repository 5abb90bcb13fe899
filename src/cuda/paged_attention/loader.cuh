// A warp's own ring of tiles in shared memory: the warp asks for a tile as soon as the place is free, several tiles ahead of
// the one that it computes, and finds each token's block itself. Tokens that are outside the sequence, or whose block id is out
// of range, are filled with zeros; nothing of theirs is read.
//
// Block ids are looked up for a window of tiles at once, one for each lane: of 16 tokens where those never leave a block, else
// of one. A whole tile, all of its tokens and ids there and addresses as usual, takes few instructions, fewest within a run of
// them; any other one goes out of line, and is put together from loads of less than 16 bytes where addresses ask for them.
#pragma once

#include "cuda/paged_attention/kinds.cuh"

namespace vkv::cuda {

constexpr int kMostStages = 4;  // 1, 2 or 4

struct LoaderPolicy {
  int32_t stages;      // tiles in the ring
  int32_t piece_bytes; // of K's and V's addresses: 16 for asynchronous copies, else the width of a load (8, 4, 2, 1)
  bool runs;           // x-packed V: 16 bytes of tokens never leave a block
  bool sixteens;       // 16 tokens that begin at a multiple of 16 never leave a block
  bool whole_tiles;    // whole tiles are copied 16 bytes at a time, by addresses in 32 bits: these hold 16 times a stride
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

  __device__ TileLoader(const AttentionParams& p, const LoaderPolicy& policy, int32_t s, int32_t head, bool reports, char* ring, uint32_t* masks)
      : p_(p),
        policy_(policy),
        ring_(shared_address(ring)),
        masks_(shared_address(masks)),
        s_(s),
        head_(head),
        lane_(static_cast<int>(threadIdx.x % 32)),
        reports_(reports) {
    const auto first = [&](const CacheSide& side, int token, int piece) {
      return side.data + head * side.head + token % 16 * side.token + piece * side.pitch;
    };
    key_ = first(p.key, key_token(), key_piece());
    value_ = first(p.value, value_token(), value_piece());
    if constexpr (kXPacked) {
      key_target_ = ring_ + 16 * (key_piece() * kTokens + swizzled_token(key_token()));
      value_target_ = ring_ + Kind::template run<kDim>(value_piece(), lane_ % 2);
    } else {
      key_target_ = value_target_ = ring_ + key_token() * kRow + 16 * swizzled<kPieces>(key_token(), key_piece());
    }
    if constexpr (kScaleRow != 0) {
      key_scales_ = first_scales(p.key);
      value_scales_ = first_scales(p.value);
    }
    // Kept, not computed anew for each tile.
    asm volatile("" : "+l"(key_), "+l"(value_), "+r"(key_target_), "+r"(masks_));
    if constexpr (kXPacked) asm volatile("" : "+r"(value_target_));
    else value_target_ = key_target_;
    if constexpr (kScaleRow != 0) asm volatile("" : "+r"(key_scales_), "+r"(value_scales_));
  }

  __device__ uint32_t key_tile(int slot) const { return ring_ + static_cast<uint32_t>(slot) * 2 * kSide; }
  __device__ uint32_t value_tile(int slot) const { return key_tile(slot) + kSide; }
  // Which tokens of the tile are there.
  __device__ uint32_t mask(int slot) const { return load_shared<uint32_t>(masks_ + 4 * slot); }

  // The tiles to load, from tokens `low` to `high`, before the first next().
  __device__ void begin(const AttentionSequence& q, int32_t origin, int32_t low, int32_t high, int32_t first, int32_t last) {
    table_ = p_.pages.row(s_, q);
    origin_ = origin;
    low_ = low;
    high_ = high;
    tile_ = whole_from_ = first - 1;
    last_ = last;
#pragma unroll
    for (int i = 0; i < kMostStages; ++i) {  // places hold whole tiles unless noted
      if (lane_ == 0 && i < policy_.stages) store_shared<uint32_t>(masks_ + 4 * i, kAll);
    }
  }
  // On to the next tile, whose requests follow.
  __device__ void next() {
    ++tile_;
    settle();
  }
  // Enqueues K of the tile, or nothing past the last one.
  __device__ void request_key(int slot) {
    if (tile_ >= run_ && tile_ < last_) measure_run();
    find();
    if (__builtin_expect(tile_ < run_, 1)) {
      copy_whole<false>(slot);
    } else if (tile_ < last_) {
      const uint32_t valid = copy_some<false>(key_tile(slot));
      if (lane_ == 0) store_shared<uint32_t>(masks_ + 4 * slot, valid);
      whole_from_ = tile_ + 1;
    }
    cp_async_commit();
  }
  // Enqueues V of the same tile.
  __device__ void request_value(int slot) {
    if constexpr (kGroups > 1) find();  // to keep two since the request for K takes too many registers
    if (__builtin_expect(tile_ < run_, 1)) copy_whole<true>(slot);
    else if (tile_ < last_) copy_some<true>(value_tile(slot));
    cp_async_commit();
  }
  // After the tile that mask() was asked for: its place holds whole tiles again.
  __device__ void leave(int slot, uint32_t mask) {
    if (mask != kAll && lane_ == 0) store_shared<uint32_t>(masks_ + 4 * slot, kAll);
  }

  // The same for tiles known to be whole: from `tile`, which is to be computed next, to the end of these, all are, and so are
  // those to be requested in the same steps.
  __device__ int32_t whole_until(int32_t tile) const {
    return tile < whole_from_ ? tile : run_ < last_ ? run_ - policy_.stages : last_;
  }
  template <bool kValue>
  __device__ void request_whole(int slot) {
    if (tile_ < last_) {
      if (!kValue || kGroups > 1) find();
      copy_whole<kValue>(slot);
    }
    cp_async_commit();
  }
  __device__ void next_whole() { ++tile_; }
  // After these steps.
  __device__ void settle() {
    if (tile_ >= run_) look_up();
  }

 private:
  static constexpr int kGroups = kTokens / 16;
  static constexpr uint32_t kAll = kTokens == 32 ? 0xFFFFFFFFu : 0xFFFFu;

  // ---- block ids

  // The blocks of the tile's groups of 16 tokens.
  __device__ void find() {
#pragma unroll
    for (int u = 0; u < kGroups; ++u) {
      block_[u] = __shfl_sync(0xFFFFFFFFu, id_, tile_ * kGroups + u);
      place_[u] = __shfl_sync(0xFFFFFFFFu, offset_, tile_ * kGroups + u);
    }
  }

  // At the end of a run: asks for the ids of a window, where the tile is its first. Those that the sequence does not reach
  // are ~0.
  __device__ void look_up() {
    if (tile_ >= last_) return;
    const int shift = policy_.sixteens ? 4 : 0;
    const int32_t begin = tile_ & -((32 << shift) / kTokens);
    if (run_ < 0 || tile_ == begin) {
      const int32_t position = origin_ + begin * kTokens + (lane_ << shift);
      id_ = ~0u;
      if (position < high_ && position + (1 << shift) > low_) {
        const uint32_t column = p_.pages.block_size.divide(static_cast<uint32_t>(position), offset_);
        id_ = static_cast<uint32_t>(__ldg(table_ + column * p_.pages.entry_stride));
      }
    }
    run_ = tile_;
  }
  // From the tile on, those of the window that are whole.
  __device__ void measure_run() {
    const uint32_t bad = __ballot_sync(0xFFFFFFFFu, id_ >= p_.pages.num_blocks);
    if (!policy_.whole_tiles || origin_ + tile_ * kTokens < low_) return;
    const int first = tile_ * kGroups % 32, good = __clz(static_cast<int>(__brev(bad >> first)));
    run_ = min(tile_ + min(good, 32 - first) / kGroups, min((high_ - origin_) / kTokens, last_));
  }

  // Of rows of less than 128 bytes the L2 brings in whole lines: other heads have the rest, and their CTAs ask for it at about
  // the same time. Wider rows are read once. One H100, NVFP4, 64 sequences of 8192 tokens: 262 us as wider rows, so 238 us.
  static __device__ void copy16(uint32_t to, const char* from, uint32_t bytes) {
    if constexpr (kRow < 128 && !kXPacked) cp_async16_of_128(to, from, bytes);
    else cp_async16(to, from, bytes, kEvictFirst);
  }

  // ---- whole tiles

  // Each lane copies from an address and to one that differ by constants, or by multiples of a step, from copy to copy.
  //
  // Pieces of a tile, neighbours in memory a row's. 32 at a time: rows i * kRowsAtOnce + lane / kPieces.
  static constexpr int kCopies = kTokens * kPieces;
  static constexpr int kRowsAtOnce = kPieces >= 32 ? 1 : 32 / kPieces;
  static_assert(kXPacked || (kCopies % 32 == 0 && kPieces <= 32), "a copy is one row or several whole ones");
  static_assert(kSide % 128 == 0, "pieces move within 128 bytes");
  // x-packed K: neighbours in memory are tokens. x-packed V: the tile's tokens of a dim, 16 bytes each half.
  static constexpr int kPiecesAtOnce = 32 / kTokens;
  static constexpr int kElement = 32 / kTokens, kRunTokens = 16 / kElement;

  // What a lane's first copy is of.
  __device__ int key_token() const { return kXPacked ? lane_ % kTokens : lane_ / kPieces; }
  __device__ int key_piece() const { return kXPacked ? lane_ / kTokens : lane_ % kPieces; }
  __device__ int value_token() const { return kXPacked ? lane_ % 2 * kRunTokens : key_token(); }
  __device__ int value_piece() const { return kXPacked ? lane_ / 2 : key_piece(); }

  template <bool kValue>
  __device__ void copy_whole(int slot) {
    const CacheSide& side = kValue ? p_.value : p_.key;
    const char* first = kValue ? value_ : key_;
    const uint32_t to = (kValue ? value_target_ : key_target_) + static_cast<uint32_t>(slot) * 2 * kSide;
    if constexpr (kScaleRow != 0) {
      copy_whole_scales(side, kValue ? value_scales_ : key_scales_, kValue ? value_tile(slot) : key_tile(slot));
    }
    const uint64_t step = narrow(kXPacked ? side.pitch * (kValue ? 16 : kPiecesAtOnce) : side.token * kRowsAtOnce);
    if constexpr (kXPacked && kValue) {
      const char* from = at(first, side, lane_ % 2 * kRunTokens / 16);
#pragma unroll
      for (int i = 0; i < kDim / 16; ++i) {
        copy16(to + kSide + Kind::template run<kDim>(16 * i, 0), from + i * step, 16);
      }
    } else if constexpr (kXPacked) {
      const char* from = at(first, side, key_token() / 16);
#pragma unroll
      for (int j = 0; j < kPieces / kPiecesAtOnce; ++j) {
        copy16(to + 16 * j * kPiecesAtOnce * kTokens, from + j * step, 16);
      }
    } else if (key_piece() * (16 * kDim / kRow) < p_.head_dim) {
#pragma unroll
      for (int u = 0; u < kGroups; ++u) {
        const char* from = at(first, side, u);
#pragma unroll
        for (int j = 0; j < 16 / kRowsAtOnce; ++j) {
          const int row = 16 * u + j * kRowsAtOnce;  // the bits that it adds to the swizzle are none of lane / kPieces
          copy16((to ^ 16 * swizzled<kPieces>(row, 0)) + (kValue ? kSide : 0) + row * kRow, from + j * step, 16);
        }
      }
    }
  }
  // NVFP4: a row of scales as it lies in memory. Where the lane's first one is in a block.
  __device__ uint32_t first_scales(const CacheSide& side) const {
    return static_cast<uint32_t>(side.scales + head_ * side.scale_head + lane_ % 16 * side.scale_token);
  }
  __device__ void copy_whole_scales(const CacheSide& side, uint32_t first, uint32_t tile) {
    const int u = lane_ / 16;
    const uint32_t row = place(u) * static_cast<uint32_t>(side.scale_token) + first;
    const char* from = further(side.data, block(u), side.block) + row;
    const uint32_t to = tile + kTokens * kRow + lane_ * kScaleRow;
    constexpr int kWidth = kScaleRow < 8 ? 4 : 8;
#pragma unroll
    for (int i = 0; i < kScaleRow; i += kWidth) {
      if constexpr (kWidth == 8) cp_async8(to + i, from + i, 8);
      else cp_async4(to + i, from + i, 4);
    }
  }
  // From block 0 to group u of the tile.
  __device__ const char* at(const char* base, const CacheSide& side, int u) const {
    return further(further(base, block(u), side.block), place(u), side.token);
  }
  // Of group u.
  __device__ uint32_t block(int u) const { return u == 0 ? block_[0] : block_[kGroups - 1]; }
  __device__ uint32_t place(int u) const { return u == 0 ? place_[0] : place_[kGroups - 1]; }
  // Spelt out, strides stay in registers, where a product and a sum are one instruction.
  static __device__ const char* further(const char* from, uint32_t n, int64_t stride) {
    const char* to;
    asm("mad.wide.u32 %0, %1, %2, %3;" : "=l"(to) : "r"(n), "r"(static_cast<uint32_t>(stride)), "l"(from));
    return to;
  }
  // 32 bits, and the compiler may not see that more are there.
  static __device__ uint64_t narrow(int64_t stride) {
    auto low = static_cast<uint32_t>(stride);
    asm("" : "+r"(low));
    return low;
  }

  // ---- any tile, out of line; returns which tokens are there

  template <bool kValue>
  __device__ uint32_t copy_some(uint32_t to) {
    const CacheSide& side = kValue ? p_.value : p_.key;
    const int token = lane_ % kTokens;
    const int32_t tokens = tile_ * kTokens + token, position = origin_ + tokens;
    const auto id = __shfl_sync(0xFFFFFFFFu, id_, policy_.sixteens ? tokens / 16 : tokens);
    uint32_t offset;
    const uint32_t column = p_.pages.block_size.divide(static_cast<uint32_t>(position), offset);
    const bool inside = position >= low_ && position < high_, known = id < p_.pages.num_blocks, present = inside && known;
    // One lane tells for all tokens of a block in this tile.
    const bool first_of_block = offset == 0 || lane_ == 0 || position == low_;
    if (!kValue && inside && !present && reports_ && lane_ < kTokens && first_of_block) {
      p_.pages.report_block(s_, table_, column, static_cast<int32_t>(id));
    }
    const uint32_t valid = __ballot_sync(0xFFFFFFFFu, present) & kAll;
    const int64_t block = known ? id : 0, place = known ? offset : 0, at = block * side.block + place * side.token;
    const char* base = side.data + head_ * side.head;
    if constexpr (kScaleRow != 0) {
      copy_scales(scales(side), block * side.block + place * side.scale_token, side.scale_token, valid, p_.head_dim / 16,
                  policy_.piece_bytes, kValue && p_.swizzled_v, to + kTokens * kRow);
    }
    if constexpr (kXPacked && kValue) {
      copy_runs(base, side.pitch, at, valid, p_.head_dim, policy_.runs ? policy_.piece_bytes : 1, to);
    } else if (!kXPacked && policy_.sixteens && policy_.piece_bytes == 16) {
      copy_sixteens(base, side.token, at, valid, p_.head_dim * kRow / kDim, to);
    } else {
      copy_rows(base, side.pitch, at, valid, p_.head_dim * kRow / kDim, policy_.piece_bytes, to);
    }
    return valid;
  }

  // An address for 16 tokens.
  static __device__ __noinline__ void copy_sixteens(const char* base, int64_t stride, int64_t at, uint32_t valid, int row_bytes,
                                                    uint32_t to) {
    const int lane = static_cast<int>(threadIdx.x % 32), first = lane / kPieces, piece = lane % kPieces;
    const int64_t step = kRowsAtOnce * stride;
    base += first * stride + 16 * piece;
    to += first * kRow + 16 * swizzled<kPieces>(first, piece);
    valid >>= first;
#pragma unroll
    for (int u = 0; u < kGroups; ++u) {
      const char* from = base + shuffle(at, 16 * u);
#pragma unroll
      for (int j = 0; j < 16 / kRowsAtOnce; ++j) {
        const int row = 16 * u + j * kRowsAtOnce;
        if (16 * piece < row_bytes) {
          copy16((to ^ 16 * swizzled<kPieces>(row, 0)) + row * kRow, from, (valid >> row & 1) << 4);
        }
        from += step;
      }
    }
  }
  // Each token wherever it is.
  static __device__ __noinline__ void copy_rows(const char* base, int64_t pitch, int64_t at, uint32_t valid, int row_bytes,
                                                int width, uint32_t to) {
    const int lane = static_cast<int>(threadIdx.x % 32);
    if (width != 16) return gather_rows(base, pitch, at, valid, row_bytes, width, to);
    if constexpr (kXPacked) {
      const int token = lane % kTokens, first = lane / kTokens;
      const char* from = base + at + first * pitch;
      for (int piece = first; 16 * piece < row_bytes; piece += kPiecesAtOnce) {
        copy16(to + 16 * (piece * kTokens + swizzled_token(token)), from, (valid >> token & 1) << 4);
        from += kPiecesAtOnce * pitch;
      }
    } else {
      const int row = lane / kPieces, piece = lane % kPieces;
#pragma unroll 4
      for (int j = 0; j < kTokens / kRowsAtOnce; ++j) {
        const int token = j * kRowsAtOnce + row;
        const char* from = base + (shuffle(at, token) + 16 * piece);
        if (16 * piece < row_bytes) {
          copy16(to + token * kRow + 16 * swizzled<kPieces>(token, piece), from, (valid >> token & 1) << 4);
        }
      }
    }
  }
  // As the same bytes would come out.
  static __device__ void gather_rows(const char* base, int64_t pitch, int64_t at, uint32_t valid, int row_bytes, int width,
                                     uint32_t to) {
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

  static __device__ __noinline__ void copy_runs(const char* base, int64_t pitch, int64_t at, uint32_t valid, int dims, int width,
                                                uint32_t to) {
    constexpr uint32_t kRun = (1u << kRunTokens) - 1;
    const int lane = static_cast<int>(threadIdx.x % 32), half = lane % 2;
    // All of the tokens of each 16 bytes are there, or none, or the first ones.
    const uint32_t mine = valid >> (half * kRunTokens) & kRun;
    if (width != 16 || __any_sync(0xFFFFFFFFu, (mine & (mine + 1)) != 0)) return gather_runs(base, pitch, at, valid, dims, to);
    const int64_t run = shuffle(at, half * kRunTokens);
    const int count = __popc(mine);
    for (int dim = lane / 2; dim < dims; dim += 16) {
      copy16(to + Kind::template run<kDim>(dim, half), base + (count != 0 ? run + dim * pitch : 0), count * kElement);
    }
  }
  static __device__ void gather_runs(const char* base, int64_t pitch, int64_t at, uint32_t valid, int dims, uint32_t to) {
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

  __device__ const char* scales(const CacheSide& side) const { return side.data + side.scales + head_ * side.scale_head; }
  // Swizzled V: the four rows of a quad of tokens hold one another's.
  static __device__ __noinline__ void copy_scales(const char* base, int64_t at, int64_t stride, uint32_t valid, int bytes,
                                                  int width, bool swizzled, uint32_t to) {
    const int lane = static_cast<int>(threadIdx.x % 32);
    const uint32_t quad = swizzled ? valid >> (lane / 4 * 4) & 15u : valid >> lane & 1u;
    // All rows of a quad with a token lie in its block.
    const int known = swizzled && quad != 0 ? lane / 4 * 4 + __ffs(static_cast<int>(quad)) - 1 : lane;
    const int64_t row = shuffle(at, known) + (lane - known) * stride;
    if (lane >= kTokens) return;
    const char* from = base + (quad != 0 ? row : 0);
    to += lane * kScaleRow;
    if (width == 16 && bytes % 4 == 0) {  // then every row is a multiple of 4 from its block
      for (int i = 0; i < bytes; i += 4) cp_async4(to + i, from + i, quad != 0 ? 4 : 0);
    } else {
      for (int i = 0; i < bytes; ++i) {
        store_shared<uint8_t>(to + i, quad != 0 ? *reinterpret_cast<const uint8_t*>(from + i) : uint8_t{0});
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
  const int32_t* table_;
  const char *key_, *value_;  // this lane's first piece of a tile, in block 0
  uint32_t ring_, key_target_, value_target_;  // and where it goes, in slot 0
  uint32_t key_scales_, value_scales_;         // this lane's row of scales of a tile, in block 0
  uint32_t masks_;
  int32_t s_, head_;
  int lane_;
  bool reports_;
  int32_t origin_, low_, high_, tile_, last_;
  int32_t run_ = -1;    // the end of the whole tiles at hand
  int32_t whole_from_;  // from this tile on all were whole that have been requested
  // The window: this lane's block.
  uint32_t id_ = 0, offset_ = 0;
  // The tile requested last.
  uint32_t block_[kGroups], place_[kGroups];
};

#endif

}  // namespace vkv::cuda
