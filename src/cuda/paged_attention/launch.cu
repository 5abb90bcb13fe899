// paged_attention on CUDA: one selector for the plan and the launch, and the workspace cut up.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>

#include "cuda/launch.hpp"
#include "cuda/ops.hpp"
#include "cuda/paged_attention/decode_params.cuh"
#include "cuda/paged_attention/decode_policy.hpp"
#include "cuda/paged_attention/prefill.hpp"

namespace vkv::cuda {
namespace {

constexpr int32_t kLongestQuery = 0x7FFFFFFF;

struct Workspace {
  Arrivals arrivals;
  float* partials;
  std::size_t bytes;

  Workspace(void* base, const DecodePlan& plan) : arrivals{}, partials(nullptr), bytes(0) {
    if (!plan.cuts()) return;
    const auto parts = static_cast<std::size_t>(plan.parts());
    const std::size_t words = (parts * sizeof(unsigned long long) + 255) / 256 * 256;
    arrivals.words = static_cast<unsigned long long*>(base);
    if (base != nullptr) partials = reinterpret_cast<float*>(static_cast<char*>(base) + words);
    bytes = words + parts * static_cast<std::size_t>(plan.instance->state_floats) * sizeof(float);
  }
};

// No two calls of any process have the same, as good as surely.
uint64_t fresh_tag() {
  static std::atomic<uint64_t> next{static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count())};
  uint64_t z = next.fetch_add(0x9E3779B97F4A7C15ull);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return (z ^ (z >> 31)) & 0xFFFFFFFFFFFFull;
}

DecodePlan plan_or_refuse(const CudaContext& ctx, const PagedAttention& p) {
  if (p.num_seqs >= int64_t{1} << 31) {
    fail(VKV_ERROR_NOT_SUPPORTED, "%lld sequences; the CUDA backend supports fewer than 2^31", static_cast<long long>(p.num_seqs));
  }
  if (p.max_query_len * (p.num_heads / p.num_kv_heads) >= int64_t{1} << 31) {
    fail(VKV_ERROR_NOT_SUPPORTED, "max_query_len is %lld; the CUDA backend supports fewer than 2^31 query rows of a KV head",
         static_cast<long long>(p.max_query_len));
  }
  const DecodePlan plan = decode_plan(ctx, p, prefill_serves(p) ? kPrefillQueries - 1 : kLongestQuery);
  if (plan.parts() >= int64_t{1} << 31) {
    fail(VKV_ERROR_NOT_SUPPORTED, "num_seqs * num_kv_heads * query rows / %d is %lld; the CUDA backend supports fewer than 2^31",
         8 * plan.instance->row_tiles, static_cast<long long>(p.num_seqs * plan.units));
  }
  return plan;
}

// Kernels may take the shared memory that their plans ask for, on every device that they meet. Never less than before: another
// thread may be about to launch with that.
void allow_shared_memory(const DecodeInstance& instance, int device, int bytes) {
  std::atomic<int32_t>& allowed = instance.allowed[device % DecodeInstance::kDevices];
  const auto enough = [&] {
    const int32_t known = allowed.load(std::memory_order_acquire);
    return known >> 20 == device && (known & 0xFFFFF) >= bytes;
  };
  if (enough()) return;
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  if (enough()) return;
  require("cudaFuncSetAttribute", cudaFuncSetAttribute(reinterpret_cast<const void*>(instance.kernel),
                                                       cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  allowed.store(device << 20 | bytes, std::memory_order_release);
}

// Clusters of 4^levels CTAs that the current device, `device`, runs at a time.
int64_t clusters_at_a_time(const DecodeInstance& instance, int device, int levels, int shared) {
  std::atomic<int64_t>& known = instance.clusters[device % DecodeInstance::kDevices * DecodeInstance::kLevels + levels - 1];
  const int64_t question = (int64_t{device} << 4 | levels) << 20 | shared;
  const int64_t answer = known.load(std::memory_order_relaxed);
  if (answer >> 16 == question) return answer & 0xFFFF;
  const void* kernel = reinterpret_cast<const void*>(instance.kernel);
  if (levels > 1) {
    require("cudaFuncSetAttribute", cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
  }
  ClusterAttributes attributes(1u << (2 * levels));
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(1u << (2 * levels));
  config.blockDim = dim3(32 * kDecodeWarps);
  config.dynamicSmemBytes = static_cast<std::size_t>(shared);
  config.attrs = attributes.list;
  config.numAttrs = 2;
  int count = 0;
  if (cudaOccupancyMaxActiveClusters(&count, kernel, &config) != cudaSuccess) {
    cudaGetLastError();
    count = 0;
  }
  known.store(question << 16 | count, std::memory_order_relaxed);
  return count;
}

}  // namespace

std::size_t plan_paged_attention(const Context& ctx, const PagedAttention& p) {
  if (p.empty()) return 0;
  return Workspace(nullptr, plan_or_refuse(self(ctx), p)).bytes;
}

void run(const Context& context, const PagedAttention& p, vkv_stream stream) {
  const CudaContext& ctx = self(context);
  const DecodePlan plan = plan_or_refuse(ctx, p);
  const Workspace workspace(p.workspace, plan);
  DecodeParams d = {};
  d.attention = attention_params(ctx, p);
  d.loader = loader_policy(p, d.attention, plan);
  d.arrivals = workspace.arrivals;
  d.arrivals.tag = fresh_tag();
  d.partials = workspace.partials;
  d.tree = plan.tree;
  d.work = plan.work;
  d.longest_query = plan.longest_query;
  const int64_t query_bytes = Alignment().add(p.query, 2).bytes();
  d.whole_query = query_bytes >= 16 && p.head_dim == plan.instance->dim;
  d.paired_query = query_bytes >= 4;
  d.vector_out = Alignment().add(p.out, 2).bytes() >= 8;
  d.kv_heads_div = FastDiv(static_cast<uint32_t>(p.num_kv_heads));
  d.row_tiles_div = FastDiv(static_cast<uint32_t>(plan.row_tiles));
  d.seqs_div = FastDiv(static_cast<uint32_t>(p.num_seqs));
  const DecodeInstance& instance = *plan.instance;
  const DeviceGuard guard(ctx.device);
  int shared = 0;
  for (const int levels : {plan.work.cluster_levels, plan.else_levels, 0}) {
    // More than the kernel uses where fewer CTAs are to share a multiprocessor than could.
    const int fewer = plan.ctas < instance.ctas && levels == 0 ? ctx.shared_per_sm / (plan.ctas + 1) : 0;
    shared = std::max(instance.shared_bytes(plan.stages, levels), fewer);
    allow_shared_memory(instance, ctx.device, shared);
    d.work.cluster_levels = levels;
    if (levels == 0 || clusters_at_a_time(instance, ctx.device, levels, shared) << (2 * levels) >= plan.parts()) break;
  }
  launch(ctx, instance.kernel, plan.parts(), 32 * kDecodeWarps, static_cast<std::size_t>(shared), stream, d,
         1u << (2 * d.work.cluster_levels));
  if (prefill_serves(p)) launch_prefill(ctx, p, d.attention, stream);
}

}  // namespace vkv::cuda
