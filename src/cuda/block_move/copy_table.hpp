// CopyTable: a list of copies that travels in a kernel's parameter, so that nothing is uploaded and a capture holds it.
#pragma once

#include <cstdint>

#include "cuda/context.hpp"
#include "cuda/primitives/fast_div.cuh"

namespace vkv::cuda {

constexpr uint32_t kPieceBytes = 4096;  // what one warp, or one bulk copy, moves at once

struct CopyTableHead {
  const char* src;
  char* dst;
  uint32_t items;   // entries x pieces
  FastDiv pieces;   // of the longest entry
  uint32_t shift;   // entries count units of 2^shift bytes
};

struct CopyTableEntry {
  int32_t src, dst;  // units from the head's addresses
  uint32_t bytes;
};

template <int kEntries>
struct CopyTable {
  CopyTableHead head;
  CopyTableEntry entry[kEntries];
};

// Most calls have few entries; a large parameter costs time in every launch.
constexpr int kFewCopies = 192, kManyCopies = 2700;
static_assert(sizeof(CopyTable<kManyCopies>) <= 32764, "the largest kernel parameter");

#ifdef __CUDACC__
struct Piece {
  const char* src;
  char* dst;
  uint32_t bytes;  // 0: past the entry's end
};

template <int kEntries>
__device__ Piece piece_of(const CopyTable<kEntries>& table, uint32_t item) {
  uint32_t piece;
  const CopyTableEntry entry = table.entry[table.head.pieces.divide(item, piece)];
  const uint32_t at = piece * kPieceBytes;
  const int64_t unit = int64_t{1} << table.head.shift;
  return {table.head.src + entry.src * unit + at, table.head.dst + entry.dst * unit + at,
          at < entry.bytes ? min(entry.bytes - at, kPieceBytes) : 0};
}
#endif

// Launches. Addresses and lengths are multiples of `unit` bytes (16, 8, 4, 2 or 1); 16 for bulk copies.
template <int kEntries>
void copy_by_threads(const CudaContext& ctx, const CopyTable<kEntries>& table, int64_t unit, int64_t ctas, vkv_stream stream);
template <int kEntries>
void copy_by_bulk(const CudaContext& ctx, const CopyTable<kEntries>& table, int64_t ctas, vkv_stream stream);

}  // namespace vkv::cuda
