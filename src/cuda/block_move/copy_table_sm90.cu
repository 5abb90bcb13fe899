// The same by Hopper's bulk copies: one thread a CTA keeps pieces moving through a ring in shared memory.
#include "cuda/block_move/copy_table.hpp"
#include "cuda/launch.hpp"

namespace vkv::cuda {
namespace {

constexpr uint32_t kStages = 8, kAhead = 4;  // kAhead pieces on their way in, the rest on their way out

__device__ uint32_t shared_address(const void* p) { return static_cast<uint32_t>(__cvta_generic_to_shared(p)); }

__device__ void init_barrier(uint32_t barrier) { asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(barrier) : "memory"); }

// Starts the copy of a piece into shared memory; the barrier's phase ends when it is there.
__device__ void load_piece(uint32_t stage, const Piece& piece, uint32_t barrier) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(piece.bytes) : "memory");
  if (piece.bytes == 0) return;
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(stage),
               "l"(__cvta_generic_to_global(piece.src)), "r"(piece.bytes), "r"(barrier)
               : "memory");
}

__device__ void wait_for(uint32_t barrier, uint32_t parity) {
  uint32_t done;
  do {
    asm volatile("{.reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p;}"
                 : "=r"(done)
                 : "r"(barrier), "r"(parity)
                 : "memory");
  } while (done == 0);
}

// Starts the copy of a piece out of shared memory, a group of its own.
__device__ void store_piece(uint32_t stage, const Piece& piece) {
  if (piece.bytes != 0) {
    asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(__cvta_generic_to_global(piece.dst)),
                 "r"(stage), "r"(piece.bytes)
                 : "memory");
  }
  asm volatile("cp.async.bulk.commit_group;" ::: "memory");
}

// Grid: any. Block: one warp, of which one thread works. Shared memory: kStages pieces.
template <int kEntries>
__global__ void __launch_bounds__(32) bulk_kernel(const __grid_constant__ CopyTable<kEntries> table) {
  __shared__ alignas(128) char ring[kStages][kPieceBytes];
  __shared__ alignas(8) uint64_t arrived[kStages];
  if (threadIdx.x != 0 || blockIdx.x >= table.head.items) return;
  const uint32_t stages = shared_address(ring), barriers = shared_address(arrived);
  for (uint32_t i = 0; i < kStages; ++i) init_barrier(barriers + i * 8);
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");

  const uint32_t pieces = (table.head.items - 1 - blockIdx.x) / gridDim.x + 1;
  uint32_t loaded = 0;
  for (uint32_t stored = 0; stored < pieces; ++stored) {
    for (; loaded < pieces && loaded < stored + kAhead; ++loaded) {
      // The stage was last read by the copy of piece loaded - kStages. At most kStages - kAhead groups are younger.
      asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(kStages - kAhead) : "memory");
      const uint32_t stage = loaded % kStages;
      load_piece(stages + stage * kPieceBytes, piece_of(table, blockIdx.x + loaded * gridDim.x), barriers + stage * 8);
    }
    const uint32_t stage = stored % kStages;
    wait_for(barriers + stage * 8, stored / kStages % 2);
    store_piece(stages + stage * kPieceBytes, piece_of(table, blockIdx.x + stored * gridDim.x));
  }
  asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
}

}  // namespace

template <int kEntries>
void copy_by_bulk(const CudaContext& ctx, const CopyTable<kEntries>& table, int64_t ctas, vkv_stream stream) {
  launch(ctx, bulk_kernel<kEntries>, ctas, 32, 0, stream, table);
}

template void copy_by_bulk(const CudaContext&, const CopyTable<kFewCopies>&, int64_t, vkv_stream);
template void copy_by_bulk(const CudaContext&, const CopyTable<kManyCopies>&, int64_t, vkv_stream);

}  // namespace vkv::cuda
