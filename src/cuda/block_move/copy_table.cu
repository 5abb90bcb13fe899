// The kernel that works off a CopyTable: between device and device, or device and mapped host memory.
#include "cuda/block_move/copy_table.hpp"

#include "cuda/block_move/copy.cuh"
#include "cuda/launch.hpp"

namespace vkv::cuda {
namespace {

constexpr unsigned kCopyThreads = 512;

// Grid: any. Block: kCopyThreads; a warp copies one piece a step. Neighbouring pieces go to different CTAs.
template <int kUnit, int kEntries>
__global__ void __launch_bounds__(kCopyThreads) threads_kernel(const __grid_constant__ CopyTable<kEntries> table) {
  const uint32_t warp = threadIdx.x / 32, step = gridDim.x * (kCopyThreads / 32);
  for (uint32_t item = warp * gridDim.x + blockIdx.x; item < table.head.items; item += step) {
    const Piece piece = piece_of(table, item);
    copy_bytes<kUnit>(piece.src, piece.dst, piece.bytes, threadIdx.x % 32);
  }
}

}  // namespace

template <int kEntries>
void copy_by_threads(const CudaContext& ctx, const CopyTable<kEntries>& table, int64_t unit, int64_t ctas, vkv_stream stream) {
  visit_unit(unit, [&](auto u) { launch(ctx, threads_kernel<u(), kEntries>, ctas, kCopyThreads, 0, stream, table); });
}

template void copy_by_threads(const CudaContext&, const CopyTable<kFewCopies>&, int64_t, int64_t, vkv_stream);
template void copy_by_threads(const CudaContext&, const CopyTable<kManyCopies>&, int64_t, int64_t, vkv_stream);

}  // namespace vkv::cuda
