// Times every way of moving blocks between pinned host memory and the device, by block size, number and contiguity, each
// beside one copy of the same bytes: the numbers behind src/cuda/block_move/swap_policy.hpp. The ways are internal, so this
// program is linked with the library's objects.
//
//   vkv_swap_methods [--json FILE]
#include <cuda_runtime_api.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "cuda/block_move/swap_blocks.hpp"

namespace {

using vkv::cuda::SwapPolicy;
using vkv::cuda::Way;
using Clock = std::chrono::steady_clock;

constexpr int64_t kMostBytes = 32 << 20;
constexpr int kSamples = 15;
constexpr double kPatience = 0.04;  // seconds of samples of a slow method, after the third

void check(cudaError_t status, const char* what) {
  if (status != cudaSuccess) throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(status));
}

struct Method {
  std::string name;
  SwapPolicy policy;
};

std::vector<Method> methods(const SwapPolicy& chosen) {
  std::vector<Method> all = {{"library", chosen}};
  const auto add = [&](std::string name, Way way, int ctas) { all.push_back({std::move(name), {way, 0, way, ctas}}); };
  for (const int ctas : {8, 16, 32, 64}) add("threads/" + std::to_string(ctas), Way::kThreads, ctas);
  for (const int ctas : {8, 16, 32, 64}) add("bulk/" + std::to_string(ctas), Way::kBulk, ctas);
  add("batch", Way::kBatch, 0);
  add("memcpy each", Way::kMemcpy, 0);
  return all;
}

// What is moved: `count` blocks, `neighbours` of them in a row on both sides, runs in random places of pools twice the size.
struct Blocks {
  int64_t bytes, count, neighbours;
  int64_t total() const { return bytes * count; }

  std::vector<int64_t> mapping(std::mt19937_64& random) const {
    const auto places = [&] {
      std::vector<int64_t> all(static_cast<std::size_t>(2 * count / neighbours));
      std::iota(all.begin(), all.end(), int64_t{0});
      std::shuffle(all.begin(), all.end(), random);
      return all;
    };
    const std::vector<int64_t> from = places(), to = places();
    std::vector<int64_t> pairs;
    for (int64_t i = 0; i < count; ++i) {
      const auto run = static_cast<std::size_t>(i / neighbours);
      for (const auto* side : {&from, &to}) pairs.push_back((*side)[run] * neighbours + i % neighbours);
    }
    return pairs;
  }
};

class Bench {
 public:
  Bench() {
    vkv_context_params params = VKV_INIT(vkv_context_params);
    params.backend = VKV_BACKEND_CUDA;
    if (vkv_context_create(&params, &ctx_) != VKV_OK) throw std::runtime_error(vkv_last_error_message());
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    check(cudaHostAlloc(&host_, 2 * kMostBytes, cudaHostAllocDefault), "cudaHostAlloc");
    check(cudaMalloc(&device_, 2 * kMostBytes), "cudaMalloc");
    content_.resize(2 * kMostBytes);
    std::mt19937_64 random(1);
    for (std::size_t i = 0; i < content_.size(); i += 8) {
      const uint64_t word = random();
      std::memcpy(&content_[i], &word, 8);
    }
  }
  ~Bench() {
    cudaFree(device_);
    cudaFreeHost(host_);
    cudaStreamDestroy(stream_);
    vkv_context_destroy(ctx_);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  // Seconds of one copy, then of each method.
  std::vector<double> measure(bool to_device, const Blocks& blocks, const std::vector<Method>& all) {
    std::mt19937_64 random(2);
    const std::vector<int64_t> pairs = blocks.mapping(random);
    const vkv::SwapBlocks q = problem(to_device, blocks, pairs);
    std::vector<std::vector<double>> samples(all.size() + 1);
    std::vector<double> spent(samples.size());
    fill_source(to_device, 2 * blocks.total());
    for (std::size_t m = 0; m < all.size(); ++m) {
      clear_destination(to_device, 2 * blocks.total());
      run(q, all[m].policy, to_device);
      verify(to_device, blocks, pairs, all[m].name);
    }
    for (int i = 0; i < kSamples; ++i) {
      for (std::size_t m = 0; m < samples.size(); ++m) {
        if (samples[m].size() >= 3 && spent[m] > kPatience) continue;
        const auto start = Clock::now();
        if (m == 0) copy(to_device, blocks.total());
        else run(q, all[m - 1].policy, to_device);
        samples[m].push_back(std::chrono::duration<double>(Clock::now() - start).count());
        spent[m] += samples[m].back();
      }
    }
    std::vector<double> medians;
    for (auto& one : samples) {
      std::nth_element(one.begin(), one.begin() + static_cast<std::ptrdiff_t>(one.size() / 2), one.end());
      medians.push_back(one[one.size() / 2]);
    }
    return medians;
  }

 private:
  void* source(bool to_device) const { return to_device ? host_ : device_; }
  void* destination(bool to_device) const { return to_device ? device_ : host_; }

  vkv::SwapBlocks problem(bool to_device, const Blocks& blocks, const std::vector<int64_t>& pairs) const {
    const auto pool = [&](void* data) {
      return vkv::Tensor{data, VKV_DTYPE_U8, 2, {2 * blocks.count, blocks.bytes}, {blocks.bytes, 1}};
    };
    vkv::SwapBlocks q{};
    q.src = pool(source(to_device));
    q.dst = pool(destination(to_device));
    q.block_mapping = {const_cast<int64_t*>(pairs.data()), VKV_DTYPE_I64, 2, {blocks.count, 2}, {2, 1}};
    q.num_pairs = blocks.count;
    q.block_bytes = q.src_stride_bytes = q.dst_stride_bytes = blocks.bytes;
    q.num_src_blocks = q.num_dst_blocks = 2 * blocks.count;
    return q;
  }

  void run(const vkv::SwapBlocks& q, const SwapPolicy& policy, bool to_device) {
    vkv::cuda::SwapPolicies policies = vkv::cuda::kSwapPolicies;
    (to_device ? policies.to_device : policies.to_host) = policy;
    vkv::cuda::swap_blocks(vkv::cuda::self(*ctx_), q, policies, stream_);
    check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  }

  void copy(bool to_device, int64_t bytes) {
    check(cudaMemcpyAsync(destination(to_device), source(to_device), static_cast<std::size_t>(bytes), cudaMemcpyDefault, stream_),
          "cudaMemcpyAsync");
    check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  }

  void fill_source(bool to_device, int64_t bytes) {
    check(cudaMemcpy(source(to_device), content_.data(), static_cast<std::size_t>(bytes), cudaMemcpyDefault), "cudaMemcpy");
    check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  }

  void clear_destination(bool to_device, int64_t bytes) {
    const auto size = static_cast<std::size_t>(bytes);
    if (to_device) check(cudaMemset(device_, 0, size), "cudaMemset");
    else std::memset(host_, 0, size);
    check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  }

  void verify(bool to_device, const Blocks& blocks, const std::vector<int64_t>& pairs, const std::string& method) {
    const auto size = static_cast<std::size_t>(2 * blocks.total());
    std::vector<char> got(size);
    check(cudaMemcpy(got.data(), destination(to_device), size, cudaMemcpyDefault), "cudaMemcpy");
    for (std::size_t i = 0; i < pairs.size(); i += 2) {
      const auto at = [&](int64_t block) { return static_cast<std::size_t>(block * blocks.bytes); };
      if (std::memcmp(&got[at(pairs[i + 1])], &content_[at(pairs[i])], static_cast<std::size_t>(blocks.bytes)) != 0) {
        throw std::runtime_error(method + ": block " + std::to_string(pairs[i + 1]) + " of the destination is wrong");
      }
    }
  }

  vkv_context* ctx_ = nullptr;
  cudaStream_t stream_ = nullptr;
  void *host_ = nullptr, *device_ = nullptr;
  std::vector<char> content_;
};

std::vector<Blocks> all_blocks() {
  std::vector<Blocks> all;
  for (const int64_t total : {int64_t{256} << 10, int64_t{2} << 20, int64_t{16} << 20, kMostBytes}) {
    for (int64_t bytes = 4 << 10; bytes <= std::min<int64_t>(total, 4 << 20); bytes *= 4) {
      for (const int64_t neighbours : {1, 16}) {
        const int64_t count = total / bytes;
        if (count > 8192 || count < neighbours || (neighbours > 1 && bytes > 64 << 10)) continue;
        all.push_back({bytes, count, neighbours});
      }
    }
  }
  return all;
}

void print(const std::vector<Method>& all, const Blocks& blocks, const std::vector<double>& seconds) {
  std::printf("%8lld %6lld %4lld %10.1f", static_cast<long long>(blocks.bytes / 1024), static_cast<long long>(blocks.count),
              static_cast<long long>(blocks.neighbours), seconds[0] * 1e6);
  std::size_t best = 2;  // what the library chose is not a method of its own
  for (std::size_t m = 1; m <= all.size(); ++m) {
    std::printf(" %11.2f", seconds[m] / seconds[0]);
    if (m >= 2 && seconds[m] < seconds[best]) best = m;
  }
  std::printf("   %s\n", all[best - 1].name.c_str());
}

int sweep(const char* json_path) {
  Bench bench;
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const bool to_device : {true, false}) {
    const auto& chosen = vkv::cuda::kSwapPolicies;
    const std::vector<Method> all = methods(to_device ? chosen.to_device : chosen.to_host);
    std::printf("%s; a method's time as a multiple of one copy's\n%8s %6s %4s %10s",
                to_device ? "host to device" : "device to host", "KiB", "blocks", "run", "copy us");
    for (const Method& method : all) std::printf(" %11s", method.name.c_str());
    std::printf("   fastest\n");
    for (const Blocks& blocks : all_blocks()) {
      const std::vector<double> seconds = bench.measure(to_device, blocks, all);
      print(all, blocks, seconds);
      nlohmann::ordered_json row = {{"direction", to_device ? "to device" : "to host"},
                                    {"block_bytes", blocks.bytes},
                                    {"blocks", blocks.count},
                                    {"neighbours", blocks.neighbours},
                                    {"one_copy", seconds[0]}};
      for (std::size_t m = 0; m < all.size(); ++m) row["seconds"][all[m].name] = seconds[m + 1];
      rows.push_back(std::move(row));
    }
  }
  if (json_path == nullptr) return 0;
  std::ofstream file(json_path);
  file << rows.dump(1) << '\n' << std::flush;
  if (!file) throw std::runtime_error(std::string("cannot write ") + json_path);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const bool with_json = argc == 3 && std::strcmp(argv[1], "--json") == 0;
  if (argc != 1 && !with_json) {
    std::fprintf(stderr, "Usage: vkv_swap_methods [--json FILE]\n");
    return 2;
  }
  try {
    return sweep(with_json ? argv[2] : nullptr);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "vkv_swap_methods: %s\n", e.what());
  } catch (const vkv::Error& e) {
    std::fprintf(stderr, "vkv_swap_methods: %s\n", e.message);
  }
  return 1;
}
