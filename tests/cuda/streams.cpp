// Streams and graphs: every kind of stream, a graph replayed after its inputs changed, many threads on one context.
#include <thread>
#include <vector>

#include "cuda/cuda.hpp"
#include "support/array.hpp"
#include "support/refusal.hpp"

namespace {

using support::Array;
using support::Random;

// A small writer problem whose contents can change under fixed addresses.
struct Writer {
  static constexpr int64_t kTokens = 70, kHeads = 4, kDim = 64, kBlock = 16, kBlocks = 9;
  Array key, value, key_cache, value_cache, slots, scale;

  explicit Writer(const support::Device& device)
      : key(device, VKV_DTYPE_BF16, {kTokens, kHeads, kDim}),
        value(device, VKV_DTYPE_BF16, {kTokens, kHeads, kDim}),
        key_cache(device, VKV_DTYPE_FP8_E4M3, {kBlocks, kBlock, kHeads, kDim}),
        value_cache(device, VKV_DTYPE_FP8_E4M3, {kBlocks, kBlock, kHeads, kDim}),
        slots(device, VKV_DTYPE_I64, {kTokens}),
        scale(device, VKV_DTYPE_F32, {1}) {}

  void fill(Random& random) {
    key.fill_normal(random);
    value.fill_normal(random);
    key_cache.fill_poison();
    value_cache.fill_poison();
    scale.fill({random.uniform(0.01, 0.1)});
    std::vector<int64_t> all(kBlocks * kBlock);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
    for (std::size_t i = all.size() - 1; i > 0; --i) {
      std::swap(all[i], all[static_cast<std::size_t>(random.integer(0, static_cast<int64_t>(i)))]);
    }
    all.resize(kTokens);
    all[7] = -1;
    slots.fill_integers(all);
  }

  vkv_reshape_and_cache_flash_params params() const {
    vkv_reshape_and_cache_flash_params p = VKV_INIT(vkv_reshape_and_cache_flash_params);
    p.key = key.view();
    p.value = value.view();
    p.key_cache = key_cache.view();
    p.value_cache = value_cache.view();
    p.slot_mapping = slots.view();
    p.k_scale = scale.view();
    p.v_scale = scale.view();
    return p;
  }

  // The same data through the CPU backend must give the same bytes.
  void check_against_cpu() {
    const support::Device& cpu = support::devices().front();
    Writer want(cpu);
    const auto copy = [](const Array& from, Array& to) {
      for (int64_t i = 0; i < from.size(); ++i) to.set_bits(i, from.bits(i));
      to.upload();
    };
    copy(key, want.key);
    copy(value, want.value);
    copy(slots, want.slots);
    copy(scale, want.scale);
    want.key_cache.fill_poison();
    want.value_cache.fill_poison();
    const auto p = want.params();
    VKV_CHECK_OK(vkv_reshape_and_cache_flash(cpu.ctx, &p, nullptr));
    want.key_cache.download();
    want.value_cache.download();
    key_cache.download();
    value_cache.download();
    CHECK((key_cache.image() == want.key_cache.image()));
    CHECK((value_cache.image() == want.value_cache.image()));
  }
};

}  // namespace

TEST_CASE("the legacy, per-thread and created streams") {
  const support::Device* device = cuda_test::device();
  if (device == nullptr) return;
  cudaStream_t created = nullptr, blocking = nullptr;
  VKV_CUDA_OK(cudaStreamCreateWithFlags(&created, cudaStreamNonBlocking));
  VKV_CUDA_OK(cudaStreamCreate(&blocking));
  uint64_t stream_number = 0;
  for (cudaStream_t stream : {cudaStream_t{nullptr}, cudaStreamLegacy, cudaStreamPerThread, created, blocking}) {
    Random random(++stream_number);
    Writer writer(*device);
    writer.fill(random);
    const auto p = writer.params();
    VKV_CHECK_OK(vkv_reshape_and_cache_flash(device->ctx, &p, stream));
    VKV_CUDA_OK(cudaStreamSynchronize(stream));
    writer.check_against_cpu();
  }
  cudaStreamDestroy(created);
  cudaStreamDestroy(blocking);
}

TEST_CASE("a graph captured once is right after every input changed") {
  const support::Device* device = cuda_test::device();
  if (device == nullptr) return;
  cudaStream_t stream = nullptr;
  VKV_CUDA_OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  Random random(11);
  Writer writer(*device);
  writer.fill(random);
  const auto p = writer.params();
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  VKV_CUDA_OK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
  VKV_CHECK_OK(vkv_reshape_and_cache_flash(device->ctx, &p, stream));
  VKV_CUDA_OK(cudaStreamEndCapture(stream, &graph));
  VKV_CUDA_OK(cudaGraphInstantiate(&executable, graph, 0));
  for (int replay = 0; replay < 4; ++replay) {
    CAPTURE(replay);
    writer.fill(random);
    VKV_CUDA_OK(cudaGraphLaunch(executable, stream));
    VKV_CUDA_OK(cudaStreamSynchronize(stream));
    writer.check_against_cpu();
  }
  cudaGraphExecDestroy(executable);
  cudaGraphDestroy(graph);
  cudaStreamDestroy(stream);
}

TEST_CASE("many threads and streams share one context") {
  const support::Device* device = cuda_test::device();
  if (device == nullptr) return;
  constexpr int kThreads = 8;
  std::vector<Writer> writers;
  writers.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    Random random(20 + static_cast<uint64_t>(t));
    writers.emplace_back(*device);
    writers.back().fill(random);
  }
  std::vector<int> failures(kThreads, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      cudaStream_t stream = nullptr;
      cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
      const auto p = writers[static_cast<std::size_t>(t)].params();
      for (int i = 0; i < 50; ++i) {
        failures[static_cast<std::size_t>(t)] += vkv_reshape_and_cache_flash(device->ctx, &p, stream) != VKV_OK;
      }
      failures[static_cast<std::size_t>(t)] += cudaStreamSynchronize(stream) != cudaSuccess;
      cudaStreamDestroy(stream);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < kThreads; ++t) {
    CAPTURE(t);
    CHECK(failures[static_cast<std::size_t>(t)] == 0);
    writers[static_cast<std::size_t>(t)].check_against_cpu();
  }
}

TEST_CASE("a device that is not current is used and the current one restored") {
  const support::Device* device = cuda_test::device();
  if (device == nullptr) return;
  int count = 0;
  VKV_CUDA_OK(cudaGetDeviceCount(&count));
  if (count < 2) {
    WARN("skipped: one CUDA device");
    return;
  }
  Random random(31);
  Writer writer(*device);
  writer.fill(random);
  const auto p = writer.params();
  VKV_CUDA_OK(cudaSetDevice(1));
  VKV_CHECK_OK(vkv_reshape_and_cache_flash(device->ctx, &p, device->stream));
  int current = -1;
  VKV_CUDA_OK(cudaGetDevice(&current));
  CHECK(current == 1);
  VKV_CUDA_OK(cudaSetDevice(0));
  support::synchronize(*device);
  writer.check_against_cpu();
}
