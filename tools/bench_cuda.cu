// Timing on CUDA: calls are captured into a graph whose replay is timed by events, over instances that together exceed the
// L2 cache, or with the cache overwritten before each replay. The read limit is the fastest of three plain readers.
#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "tools/bench.hpp"

namespace bench {

namespace {

void check(cudaError_t status, const char* what) {
  if (status != cudaSuccess) throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(status));
}

__global__ void empty_kernel() {}

// Overwrites the L2 cache.
__global__ void evict_kernel(uint4* data, int64_t n) {
  for (int64_t i = blockIdx.x * int64_t{256} + threadIdx.x; i < n; i += gridDim.x * int64_t{256}) {
    uint4 x = data[i];
    x.x += 1;
    data[i] = x;
  }
}

// Reads n 16-byte words, kDepth in flight a thread.
template <int kDepth>
__global__ void __launch_bounds__(256) read_by_loads(const uint4* data, int64_t n, uint4* sink) {
  uint4 sum = make_uint4(0, 0, 0, 0);
  const int64_t step = gridDim.x * int64_t{256};
  for (int64_t i = blockIdx.x * int64_t{256} + threadIdx.x; i < n; i += step * kDepth) {
    uint4 x[kDepth];
#pragma unroll
    for (int j = 0; j < kDepth; ++j) x[j] = i + j * step < n ? __ldcs(data + i + j * step) : make_uint4(0, 0, 0, 0);
#pragma unroll
    for (int j = 0; j < kDepth; ++j) sum = make_uint4(sum.x ^ x[j].x, sum.y ^ x[j].y, sum.z ^ x[j].z, sum.w ^ x[j].w);
  }
  if (sum.x == 0x12345u && sum.y == 0x6789u && sum.z == 0xABCDEu) *sink = sum;  // never, but the compiler cannot know
}

constexpr int kPiece = 16384, kPieces = 8;

__device__ uint32_t shared_address(const void* p) { return static_cast<uint32_t>(__cvta_generic_to_shared(p)); }

__device__ void wait_phase(uint64_t* barrier, uint32_t phase) {
  asm volatile(
      "{\n .reg .pred done;\n"
      "again: mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra again;\n}" ::"r"(shared_address(barrier)), "r"(phase) : "memory");
}

// Reads n pieces into shared memory by bulk asynchronous copies, kPieces of them in flight. One thread a CTA.
__global__ void read_by_bulk_copies(const char* data, int64_t n) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ __align__(128) char ring[];
  __shared__ uint64_t full[kPieces];
  for (int i = 0; i < kPieces; ++i) asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(shared_address(full + i)));
  asm volatile("fence.mbarrier_init.release.cluster;");
  const auto start = [&](int64_t piece, int slot) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(full + slot)), "r"(kPiece));
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                     shared_address(ring + slot * kPiece)),
                 "l"(data + piece * kPiece), "r"(kPiece), "r"(shared_address(full + slot))
                 : "memory");
  };
  int64_t next = blockIdx.x;
  for (int i = 0; i < kPieces && next < n; ++i, next += gridDim.x) start(next, i);
  int slot = 0;
  uint32_t phase = 0;
  for (int64_t piece = blockIdx.x; piece < n; piece += gridDim.x) {
    wait_phase(full + slot, phase);
    if (next < n) start(next, slot);
    next += gridDim.x;
    if (++slot == kPieces) {
      slot = 0;
      phase ^= 1;
    }
  }
#endif
}

class Graph {
 public:
  template <class Enqueue>
  Graph(cudaStream_t stream, Enqueue&& enqueue) {
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
    try {
      enqueue();
    } catch (...) {
      cudaGraph_t broken = nullptr;
      cudaStreamEndCapture(stream, &broken);
      cudaGraphDestroy(broken);
      throw;
    }
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
    check(cudaGraphInstantiate(&executable_, graph, 0), "cudaGraphInstantiate");
    cudaGraphDestroy(graph);
    check(cudaGraphUpload(executable_, stream), "cudaGraphUpload");
  }
  ~Graph() { cudaGraphExecDestroy(executable_); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  void launch(cudaStream_t stream) const { check(cudaGraphLaunch(executable_, stream), "cudaGraphLaunch"); }

 private:
  cudaGraphExec_t executable_ = nullptr;
};

class CudaBenchDevice final : public BenchDevice {
 public:
  explicit CudaBenchDevice(const tools::OpenDevice& open) : device_(open.device), num_sms_(open.info.num_sms) {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    check(cudaEventCreate(&begin_), "cudaEventCreate");
    check(cudaEventCreate(&end_), "cudaEventCreate");
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    pool_bytes_ = std::min<int64_t>(kPool, static_cast<int64_t>(free / 4) / (2 * kPiece) * (2 * kPiece));
    check(cudaMalloc(&pool_, static_cast<std::size_t>(pool_bytes_)), "cudaMalloc");
    check(cudaMemset(pool_, 1, static_cast<std::size_t>(pool_bytes_)), "cudaMemset");
    memory_ = static_cast<int64_t>(free / 2);
    check(cudaFuncSetAttribute(read_by_bulk_copies, cudaFuncAttributeMaxDynamicSharedMemorySize, kPiece * kPieces),
          "cudaFuncSetAttribute");
    check(cudaDeviceGetAttribute(&l2_bytes_, cudaDevAttrL2CacheSize, 0), "cudaDeviceGetAttribute");
    bulk_ = open.info.cc_major >= 9;
    if (open.info.cc_major == 9 && num_sms_ == kFullHopper) peak_ = kHopperOperations;
  }

  const support::Device& device() const override { return device_; }
  int64_t memory_bytes() const override { return memory_; }
  int64_t cold_bytes() const override { return 4 * static_cast<int64_t>(l2_bytes_); }

  std::string method() const override {
    return "Median time of one call in CUDA graph replay; spread is the distance between the quartiles. The calls of a replay "
           "go over instances that together take four times the L2 cache, or the cache is overwritten before each replay and "
           "every instance is called once. Moves between host and device: wall time of an eager call to its end, in turn with one "
           "copy of the same bytes. Host cost: wall time of an eager call less that of an empty kernel, the lowest tenth of "
           "alternating batches of 32. The read limit is the fastest of 16-byte loads by few CTAs and by many and of bulk copies "
           "into shared memory, the copy limit a device-to-device copy of " +
           bytes_text(static_cast<double>(pool_bytes_ / 2)) + " (read + written).";
  }

  Limits measure_limits(int passes) override {
    const Effort effort{passes, 0};
    Limits limits;
    limits.operations = peak_;
    for (int64_t bytes = 512 << 10; bytes <= pool_bytes_ / 2; bytes *= 2) {
      const auto loads = [&](auto kernel, int depth, int64_t most) {
        return read_seconds(bytes, effort, [=](const char* data, int64_t n) {
          const int64_t words = n / 16, ctas = (words + 256 * depth - 1) / (256 * depth);
          kernel<<<static_cast<unsigned>(std::min(ctas, most)), 256, 0, stream_>>>(reinterpret_cast<const uint4*>(data), words,
                                                                                   static_cast<uint4*>(pool_));
        });
      };
      // A few CTAs that stay, for few bytes; for many as many as it takes, as the memory likes what is in order.
      double best = std::min(loads(read_by_loads<4>, 4, int64_t{4} * num_sms_), loads(read_by_loads<2>, 2, int64_t{1} << 30));
      if (bulk_) {
        best = std::min(best, read_seconds(bytes, effort, [this](const char* data, int64_t n) {
          read_by_bulk_copies<<<static_cast<unsigned>(num_sms_), 1, kPiece * kPieces, stream_>>>(data, n / kPiece);
        }));
      }
      limits.read.push_back({static_cast<double>(bytes), best});
    }
    const int64_t half = pool_bytes_ / 2;
    // Not in a graph, where the copy is left to a copy engine that is slower than the multiprocessors.
    std::vector<double> samples;
    for (int i = -1; i < passes; ++i) {
      check(cudaEventRecord(begin_, stream_), "cudaEventRecord");
      check(cudaMemcpyAsync(static_cast<char*>(pool_) + half, pool_, static_cast<std::size_t>(half), cudaMemcpyDeviceToDevice,
                            stream_),
            "cudaMemcpyAsync");
      const double seconds = elapsed();
      if (i >= 0) samples.push_back(seconds);
    }
    limits.copy = 2.0 * static_cast<double>(half) / summarise(std::move(samples)).median;
    return limits;
  }

  Timing time(const Instances& instances, bool evict, const Effort& effort) override {
    Calls calls;
    for (const auto& instance : instances) {
      calls.push_back([&instance](cudaStream_t stream) { require(instance->call(stream)); });
    }
    Timing timing = replay_seconds(calls, evict, effort);
    timing.host = host_seconds(calls.front());
    return timing;
  }

  // By the wall clock, from the call to the end of its work: what prepares the copies is part of it.
  Timing time_beside_copy(const Instances& instances, int64_t bytes, const Effort& effort) override {
    std::vector<double> samples, copies;
    double total = 0;
    for (int i = -1; total < effort.min_time || static_cast<int>(samples.size()) < effort.repeats; ++i) {
      for (const auto& instance : instances) {
        const Instance::Sides sides = instance->one_copy();
        const double copy = wall_seconds([&] {
          check(cudaMemcpyAsync(sides.to, sides.from, static_cast<std::size_t>(bytes), cudaMemcpyDefault, stream_),
                "cudaMemcpyAsync");
        });
        const double call = wall_seconds([&] { require(instance->call(stream_)); });
        if (i < 0) continue;  // warm-up
        copies.push_back(copy);
        samples.push_back(call);
        total += copy + call;
      }
      if (samples.size() >= 400) break;
    }
    Timing timing = summarise(std::move(samples));
    timing.one_copy = summarise(std::move(copies)).median;
    timing.host = host_seconds([&](cudaStream_t stream) { require(instances.front()->call(stream)); });
    return timing;
  }

 private:
  using Calls = std::vector<std::function<void(cudaStream_t)>>;
  // What NVIDIA states for dense bf16 on an H100 or H200 with all of its 132 multiprocessors.
  static constexpr int kFullHopper = 132;
  static constexpr double kHopperOperations = 989e12;
  static constexpr int64_t kPool = int64_t{8} << 30;
  static constexpr int64_t kEvict = int64_t{256} << 20;

  // Events resolve about half a microsecond: a replay holds enough calls to make that small.
  Timing replay_seconds(const Calls& calls, bool evict, const Effort& effort) {
    const std::size_t rounds = evict ? 1 : std::max<std::size_t>(1, 16 / calls.size());
    const Graph graph(stream_, [&] {
      for (std::size_t round = 0; round < rounds; ++round) {
        for (const auto& call : calls) call(stream_);
      }
    });
    std::vector<double> samples;
    double total = 0;
    for (int i = -2; total < effort.min_time || static_cast<int>(samples.size()) < effort.repeats; ++i) {
      if (evict) {
        evict_kernel<<<static_cast<unsigned>(num_sms_ * 8), 256, 0, stream_>>>(static_cast<uint4*>(pool_),
                                                                             std::min(kEvict, pool_bytes_) / 16);
      }
      check(cudaEventRecord(begin_, stream_), "cudaEventRecord");
      graph.launch(stream_);
      const double seconds = elapsed();
      if (i < 0) continue;  // warm-up
      samples.push_back(seconds / static_cast<double>(rounds * calls.size()));
      total += seconds;
      if (samples.size() >= 200) break;
    }
    return summarise(std::move(samples));
  }

  // Seconds since begin_ was recorded, when all work so far is done.
  double elapsed() {
    check(cudaEventRecord(end_, stream_), "cudaEventRecord");
    check(cudaEventSynchronize(end_), "cudaEventSynchronize");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin_, end_), "cudaEventElapsedTime");
    return milliseconds * 1e-3;
  }

  template <class Read>
  double read_seconds(int64_t bytes, const Effort& effort, Read read) {
    const int64_t regions = std::min<int64_t>(64, pool_bytes_ / bytes);
    Calls calls;
    for (int64_t i = 0; i < regions; ++i) {
      const char* data = static_cast<const char*>(pool_) + i * bytes;
      calls.push_back([=](cudaStream_t) { read(data, bytes); });
    }
    return replay_seconds(calls, regions * bytes < cold_bytes(), effort).median;
  }

  template <class Work>
  double wall_seconds(Work&& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  // Host time of enqueueing a call beyond that of an empty kernel. Batches of either alternate, so that what slows the host
  // slows both; each is few enough that the launch queue never fills, and a low quantile leaves out what was interrupted.
  template <class Call>
  double host_seconds(Call&& call) {
    constexpr int kBatch = 32, kMostBatches = 200, kLeastBatches = 10;
    constexpr double kPatience = 0.2;
    std::vector<double> calls, empties;
    const auto enqueue = [&](std::vector<double>& samples, auto&& one) {
      const auto start = std::chrono::steady_clock::now();
      for (int j = 0; j < kBatch; ++j) one();
      samples.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / kBatch);
      check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    };
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kMostBatches; ++i) {
      if (i >= kLeastBatches && std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() > kPatience) break;
      enqueue(empties, [&] { empty_kernel<<<1, 32, 0, stream_>>>(); });
      enqueue(calls, [&] { call(stream_); });
    }
    return std::max(0.0, low(std::move(calls)) - low(std::move(empties)));
  }

  static double low(std::vector<double> samples) {
    const auto tenth = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 10);
    std::nth_element(samples.begin(), tenth, samples.end());
    return *tenth;
  }

  support::Device device_;
  int num_sms_, l2_bytes_ = 0;
  bool bulk_ = false;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
  void* pool_ = nullptr;
  int64_t pool_bytes_ = 0, memory_ = 0;
  double peak_ = 0;
};

}  // namespace

std::unique_ptr<BenchDevice> cuda_bench_device(const tools::OpenDevice& open) { return std::make_unique<CudaBenchDevice>(open); }

}  // namespace bench
