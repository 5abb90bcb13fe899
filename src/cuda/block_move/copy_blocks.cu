// copy_blocks: block_mapping stays on the device, the caches' addresses travel in the kernel's parameter.
#include "cuda/block_move/copy.cuh"
#include "cuda/launch.hpp"
#include "cuda/ops.hpp"
#include "cuda/policy.hpp"
#include "cuda/primitives/fast_div.cuh"
#include "cuda/primitives/report.cuh"

namespace vkv::cuda {
namespace {

constexpr int64_t kPieceBytes = 4096;  // one round of a warp

struct Shape {
  const int64_t* mapping;
  int64_t pair_stride, side_stride;
  int64_t num_blocks, block_bytes, block_stride;
  int64_t items;             // caches x pairs x pieces
  int64_t pieces, pairs;     // of a block; of the mapping
  FastDiv fast_pieces, fast_pairs;  // where items < 2^31
  bool reports;              // one launch of a call does
  ReportWords* report;
};

// Most calls have few caches; a large parameter costs time in every launch.
constexpr int kFewCaches = 128, kManyCaches = 4032;

template <int kCaches>
struct Params {
  Shape shape;
  char* cache[kCaches];
};
static_assert(sizeof(Params<kManyCaches>) <= 32764, "the largest kernel parameter");

__device__ bool in_range(const Shape& s, int64_t id) { return id >= 0 && id < s.num_blocks; }

// Grid: any. Block: kThreads; a warp copies one piece of a block a step: pieces of a block first, then pairs, then caches.
template <int kUnit, int kCaches>
__global__ void __launch_bounds__(kThreads) copy_kernel(const __grid_constant__ Params<kCaches> p) {
  const Shape& s = p.shape;
  const unsigned lane = threadIdx.x % 32;
  const int64_t step = static_cast<int64_t>(gridDim.x) * (kThreads / 32);
  for (int64_t item = static_cast<int64_t>(blockIdx.x) * (kThreads / 32) + threadIdx.x / 32; item < s.items; item += step) {
    int64_t piece, pair, cache;
    if (s.items >> 31 == 0) {
      uint32_t p32, i32;
      cache = s.fast_pairs.divide(s.fast_pieces.divide(static_cast<uint32_t>(item), p32), i32);
      piece = p32;
      pair = i32;
    } else {
      pair = item / s.pieces;
      piece = item - pair * s.pieces;
      cache = pair / s.pairs;
      pair -= cache * s.pairs;
    }
    const int64_t* row = s.mapping + pair * s.pair_stride;
    const int64_t from = __ldg(row), to = __ldg(row + s.side_stride);
    if (!in_range(s, from) || !in_range(s, to)) {
      if (s.reports && cache == 0 && piece == 0 && lane == 0) {
        if (!in_range(s, from)) note(s.report, VKV_OP_COPY_BLOCKS, VKV_REPORT_BLOCK_ID, 2 * pair, from, s.num_blocks);
        if (!in_range(s, to)) note(s.report, VKV_OP_COPY_BLOCKS, VKV_REPORT_BLOCK_ID, 2 * pair + 1, to, s.num_blocks);
      }
      continue;
    }
    const int64_t at = piece * kPieceBytes, left = s.block_bytes - at;
    char* base = p.cache[cache] + at;
    copy_bytes<kUnit>(base + from * s.block_stride, base + to * s.block_stride,
                      static_cast<uint32_t>(min(left, kPieceBytes)), lane);
  }
}

template <int kUnit, int kCaches>
void copy(const CudaContext& ctx, const CopyBlocks& q, const Shape& shape, vkv_stream stream) {
  Params<kCaches> p;
  p.shape = shape;
  for (int64_t first = 0; first < q.num_caches(); first += kCaches) {
    const int64_t caches = std::min<int64_t>(q.num_caches() - first, kCaches);
    for (int64_t i = 0; i < caches; ++i) p.cache[i] = q.cache(first + i);
    p.shape.items = caches * q.num_pairs * shape.pieces;
    p.shape.reports = first == 0;
    launch(ctx, copy_kernel<kUnit, kCaches>, std::min<int64_t>(ceil_div(p.shape.items, kThreads / 32), int64_t{1} << 30),
           kThreads, 0, stream, p);
  }
}

}  // namespace

void run(const Context& context, const CopyBlocks& q, vkv_stream stream) {
  const CudaContext& ctx = self(context);
  Shape s{};
  s.mapping = q.block_mapping.as<const int64_t>();
  s.pair_stride = q.block_mapping.stride[0];
  s.side_stride = q.block_mapping.stride[1];
  s.num_blocks = q.num_blocks;
  s.block_bytes = q.block_bytes;
  s.block_stride = q.block_stride_bytes;
  s.pieces = ceil_div(q.block_bytes, kPieceBytes);
  s.pairs = q.num_pairs;
  s.fast_pieces = FastDiv(static_cast<uint32_t>(s.pieces));
  s.fast_pairs = FastDiv(static_cast<uint32_t>(s.pairs));
  s.report = ctx.report;
  Alignment all;
  all.add(q.block_bytes).add(q.block_stride_bytes);
  for (int64_t i = 0; i < q.num_caches(); ++i) all.add(q.cache(i));
  visit_unit(all.bytes(), [&](auto unit) {
    if (q.num_caches() <= kFewCaches) return copy<unit(), kFewCaches>(ctx, q, s, stream);
    copy<unit(), kManyCaches>(ctx, q, s, stream);
  });
}

}  // namespace vkv::cuda
