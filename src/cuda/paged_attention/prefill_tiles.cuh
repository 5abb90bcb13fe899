// Tiles of the cache in shared memory: 64 tokens from a fixed position on, whatever the block size, brought by
// asynchronous copies several tiles ahead. Tokens that no row of the CTA attends to and tokens of bad blocks become
// zeros.
#pragma once

#include "cuda/paged_attention/prefill_work.cuh"
#include "cuda/primitives/mma.cuh"

namespace vkv::cuda {

constexpr int kPrefillTokens = 64;  // of a tile
constexpr int kPrefillLookup = kPrefillThreads / kPrefillTokens;  // tiles

#ifdef __CUDACC__

// Rows of 16-bit numbers, 64 of them in 128 bytes; further ones in further parts of the same kind. A row's pieces of 16
// bytes are swizzled, so that a column of pieces lies in all banks. It is what wgmma calls the 128-byte swizzle.
template <int kRows>
__device__ constexpr uint32_t piece_offset(int row, int piece) {
  return static_cast<uint32_t>(piece / 8 * (kRows * 128) + row * 128 + (piece % 8 ^ row % 8) * 16);
}

// Where the tokens of a tile lie, in bytes from each side's first number.
struct PrefillPlaces {
  int64_t key[kPrefillTokens], value[kPrefillTokens];  // 0 where absent
  uint32_t present[2];  // bit of each token

  __device__ bool has(int t) const { return (present[t / 32] >> (t % 32) & 1) != 0; }
};

// Stages of K and V hold tiles i % kStages. The query's rows share memory with what is filled last, and the results'.
template <int kDims, int kStages>
struct PrefillShared {
  static constexpr int kTileBytes = kPrefillTokens * kDims * 2;
  alignas(1024) char keys[kStages][kTileBytes];
  char values[kStages][kTileBytes];
  char more[kTileBytes];
  PrefillPlaces places[2 * kPrefillLookup];  // of a step's tile and those after it; the next look-up takes the others
  PrefillWorkShared work;

  __device__ char* rows() { return values[kStages - 1]; }
  static_assert(kPrefillRows * kDims * 2 == 2 * kTileBytes, "rows() and `more` are neighbours");
};

// The part of a sequence's cache that the rows of this CTA attend to, for one KV head.
struct PrefillSpan {
  int32_t begin, end;  // tokens
  int64_t leave;       // no later CTA of the sequence looks at blocks that end here or before
  bool reports;

  __device__ bool has(int32_t token) const { return token >= begin && token < end; }
};

class PrefillCache {
 public:
  __device__ PrefillCache(const AttentionParams& p, int32_t s, const AttentionSequence& q, int32_t kv_head,
                          const PrefillSpan& span)
      : p_(p), q_(q), row_(p.pages.row(s, q)), s_(s), span_(span) {
    key_ = p.key.data + kv_head * p.key.head;
    value_ = p.value.data + kv_head * p.value.head;
  }

  // Block id of a token; -1 where it has none that counts.
  __device__ int32_t block(int32_t token) const {
    if (!span_.has(token)) return -1;
    return __ldg(row_ + p_.pages.block_size.divide(static_cast<uint32_t>(token)) * p_.pages.entry_stride);
  }

  // Writes a token's places; called by whole warps, whose tokens are neighbours. True: its block's id is bad, and this
  // thread is the one to say so.
  __device__ bool place(PrefillPlaces& places, int32_t token, int32_t id) const {
    uint32_t offset;
    const uint32_t column = p_.pages.block_size.divide(static_cast<uint32_t>(token), offset);
    const bool inside = span_.has(token), valid = inside && static_cast<uint32_t>(id) < p_.pages.num_blocks;
    const int t = token % kPrefillTokens;
    places.key[t] = valid ? id * p_.key.block + offset * p_.key.token : 0;
    places.value[t] = valid ? id * p_.value.block + offset * p_.value.token : 0;
    const uint32_t present = __ballot_sync(0xFFFFFFFFu, valid);
    if (threadIdx.x % 32 == 0) places.present[t / 32] = present;
    const bool first = offset == 0 || token == span_.begin;
    const int64_t block_end = static_cast<int64_t>(token) - offset + p_.pages.block_size.divisor;
    return inside && !valid && first && span_.reports && block_end <= span_.leave;
  }

  __device__ void report(int32_t token, int32_t id) const {
    p_.pages.report_block(s_, p_.pages.row(s_, q_), p_.pages.block_size.divide(static_cast<uint32_t>(token)), id);
  }

  // Where the tokens lie of which a thread copies a piece: neighbouring threads copy neighbouring pieces of a token.
  template <int kDims>
  struct Pieces {
    static constexpr int kPieces = kDims / 8, kStep = kPrefillThreads / kPieces, kCount = kPrefillTokens / kStep;
    int64_t at[kCount];
    uint32_t present[2];
    __device__ Pieces(const int64_t (&places)[kPrefillTokens], const uint32_t (&present)[2])
        : present{present[0], present[1]} {
#pragma unroll
      for (int n = 0; n < kCount; ++n) at[n] = places[first() + n * kStep];
    }
    __device__ bool has(int n) const { return (present[n * kStep / 32] >> (first() + n * kStep % 32) & 1) != 0; }
    static __device__ int first() { return threadIdx.x / kPieces; }
  };

  // `pieces`: runs of 8 numbers are neighbours at multiples of 16 bytes.
  template <int kDims>
  __device__ void load_keys(char* tile, const PrefillPlaces& places, const Pieces<kDims>& mine, bool pieces) const {
    if (pieces && !p_.x_packed) copy_pieces(tile, key_, mine);
    else if (pieces) copy_packed<kDims>(tile, key_, places, p_.key.pitch);
    else copy_numbers<kDims>(tile, key_, places.key, places, p_.key.pitch, 2);
  }
  template <int kDims>
  __device__ void load_values(char* tile, const PrefillPlaces& places, const Pieces<kDims>& mine, bool pieces) const {
    if (pieces) copy_pieces(tile, value_, mine);
    else if (p_.x_packed) copy_numbers<kDims>(tile, value_, places.value, places, 8 * p_.value.pitch, p_.value.pitch);
    else copy_numbers<kDims>(tile, value_, places.value, places, 16, 2);
  }

 private:
  template <int kDims>
  __device__ void copy_pieces(char* tile, const char* from, const Pieces<kDims>& mine) const {
    using Mine = Pieces<kDims>;
    const int piece = threadIdx.x % Mine::kPieces;
    const bool wanted = piece * 8 < p_.head_dim;
    const char* start = wanted ? from + piece * 16 : from;
    const uint32_t to = shared_address(tile) + piece_offset<kPrefillTokens>(Mine::first(), piece);
#pragma unroll
    for (int n = 0; n < Mine::kCount; ++n) {
      cp_async16(to + n * Mine::kStep * 128, start + mine.at[n], wanted && mine.has(n) ? 16 : 0);
    }
  }

  // x-packed keys: neighbouring threads copy the same piece of neighbouring tokens.
  template <int kDims>
  __device__ void copy_packed(char* tile, const char* from, const PrefillPlaces& places, int64_t pitch) const {
    const int token = threadIdx.x % kPrefillTokens;
    const int64_t place = places.key[token];
    const bool has = places.has(token);
#pragma unroll 1
    for (int piece = threadIdx.x / kPrefillTokens; piece < kDims / 8; piece += kPrefillThreads / kPrefillTokens) {
      const bool present = has && piece * 8 < p_.head_dim;
      cp_async16(shared_address(tile) + piece_offset<kPrefillTokens>(token, piece),
                 present ? from + place + piece * pitch : from, present ? 16 : 0);
    }
  }

  // Any alignment, and x-packed values: neighbouring threads copy the same numbers of neighbouring tokens.
  template <int kDims>
  __device__ void copy_numbers(char* tile, const char* from, const int64_t (&at)[kPrefillTokens],
                               const PrefillPlaces& places, int64_t pitch, int64_t step) const {
    const int token = threadIdx.x % kPrefillTokens;
    const int64_t place = at[token];
    const bool has = places.has(token);
#pragma unroll 1
    for (int piece = threadIdx.x / kPrefillTokens; piece < kDims / 8; piece += kPrefillThreads / kPrefillTokens) {
      uint32_t words[4] = {};
      if (has && piece * 8 < p_.head_dim) {
        const char* start = from + place + piece * pitch;
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          const uint32_t x = __ldg(reinterpret_cast<const uint16_t*>(start + i * step));
          words[i / 2] |= x << (i % 2 * 16);
        }
      }
      *reinterpret_cast<uint4*>(tile + piece_offset<kPrefillTokens>(token, piece)) =
          make_uint4(words[0], words[1], words[2], words[3]);
    }
  }

  const AttentionParams& p_;
  const AttentionSequence& q_;
  const int32_t* row_;
  const char *key_, *value_;
  int32_t s_;
  PrefillSpan span_;
};

#endif

}  // namespace vkv::cuda
