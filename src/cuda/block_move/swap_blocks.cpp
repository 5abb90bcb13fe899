// swap_blocks and swap_blocks_batch: both are lists of copies, whose neighbours in both memories are joined into runs.
#include "cuda/block_move/swap_blocks.hpp"

#include "cuda/block_move/copy_list.hpp"
#include "cuda/launch.hpp"
#include "cuda/ops.hpp"
#include "cuda/policy.hpp"

namespace vkv::cuda {

namespace {

// `copy_at(i)` is copy i of `count`.
template <class CopyAt>
void enqueue_copies(const CudaContext& ctx, const CopyListOptions& options, PointerMap& sources, PointerMap& destinations,
                    int64_t count, CopyAt copy_at) {
  CopyList list(ctx, options);
  CopyRun run = {};
  Region src = {}, dst = {};
  for (int64_t i = 0; i < count; ++i) {
    const CopyRun copy = copy_at(i);
    if (copy.bytes == 0) continue;
    // A run stays inside one allocation on either side.
    if (run.bytes > 0 && copy.src == run.src + run.bytes && copy.dst == run.dst + run.bytes &&
        src.holds(copy.src, copy.bytes) && dst.holds(copy.dst, copy.bytes)) {
      run.bytes += copy.bytes;
      continue;
    }
    if (run.bytes > 0) list.add(run, src, dst);
    run = copy;
    src = sources.find(run.src, run.bytes);
    dst = destinations.find(run.dst, run.bytes);
  }
  if (run.bytes > 0) list.add(run, src, dst);
  list.finish();
}

int64_t pool_bytes(int64_t blocks, int64_t stride, int64_t bytes) { return blocks > 0 ? (blocks - 1) * stride + bytes : 0; }

constexpr int64_t kMostAlignment = 64 * 1024;

}  // namespace

void swap_blocks(const CudaContext& ctx, const SwapBlocks& q, const SwapPolicies& policies, vkv_stream stream) {
  constexpr const char* kName = "vkv_swap_blocks";
  const DeviceGuard guard(ctx.device);
  const auto* src = q.src.as<const char>();
  auto* dst = q.dst.as<char>();
  PointerMap sources(ctx.device, src, pool_bytes(q.num_src_blocks, q.src_stride_bytes, q.block_bytes));
  PointerMap destinations(ctx.device, dst, pool_bytes(q.num_dst_blocks, q.dst_stride_bytes, q.block_bytes));
  if (is_host(sources.find(src, q.block_bytes).where) && is_host(destinations.find(dst, q.block_bytes).where)) {
    fail(VKV_ERROR_INVALID_ARGUMENT, "%s: src and dst are both host memory, at least one must be device memory", kName);
  }
  const int64_t alignment =
      Alignment().add(src).add(dst).add(q.src_stride_bytes).add(q.dst_stride_bytes).add(q.block_bytes).bytes(kMostAlignment);
  const CopyListOptions options = {kName, stream, q.max_sms, false, alignment, policies};
  enqueue_copies(ctx, options, sources, destinations, q.num_pairs, [&](int64_t i) {
    return CopyRun{src + q.block(i, 0) * q.src_stride_bytes, dst + q.block(i, 1) * q.dst_stride_bytes, q.block_bytes, i};
  });
}

void run(const Context& context, const SwapBlocks& q, vkv_stream stream) {
  swap_blocks(self(context), q, kSwapPolicies, stream);
}

void run(const Context& context, const SwapBlocksBatch& q, vkv_stream stream) {
  const CudaContext& ctx = self(context);
  const DeviceGuard guard(ctx.device);
  PointerMap sources(ctx.device), destinations(ctx.device);
  Alignment all;
  for (int64_t i = 0; i < q.count; ++i) {
    if (q.size(i) > 0) all.add(q.src(i)).add(q.dst(i)).add(q.size(i));
  }
  const CopyListOptions options = {
      "vkv_swap_blocks_batch", stream, q.max_sms, q.source_order_any, all.bytes(kMostAlignment), kSwapPolicies};
  enqueue_copies(ctx, options, sources, destinations, q.count,
                 [&](int64_t i) { return CopyRun{q.src(i), q.dst(i), q.size(i), i}; });
}

}  // namespace vkv::cuda
