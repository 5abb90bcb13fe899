// Timing on the CPU: each call by the steady clock, over instances that together exceed the caches, or with the caches
// emptied before each round. The limits are measured by plain threads, as many as the context has.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

#include "tools/bench.hpp"

namespace bench {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

int64_t largest_cache() {
  int64_t largest = sysconf(_SC_LEVEL3_CACHE_SIZE);
  for (int i = 0; i < 8; ++i) {  // where the C library does not know: kibibytes, with a K
    std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i) + "/size");
    int64_t kib = 0;
    if (file >> kib) largest = std::max(largest, kib * 1024);
  }
  return largest;
}

int64_t available_memory() {
  std::ifstream file("/proc/meminfo");
  for (std::string word; file >> word;) {
    int64_t kib = 0;
    if (word == "MemAvailable:" && file >> kib) return kib * 1024;
  }
  return int64_t{4} << 30;
}

template <class Work>
void on_threads(int count, Work&& work) {
  std::vector<std::thread> others;
  for (int i = 1; i < count; ++i) others.emplace_back([&work, i] { work(i); });
  work(0);
  for (std::thread& other : others) other.join();
}

class CpuBenchDevice final : public BenchDevice {
 public:
  explicit CpuBenchDevice(const tools::OpenDevice& open) : device_(open.device), threads_(open.info.num_threads) {
    const int64_t spare = available_memory() / 4;
    cold_ = std::min(std::max(2 * largest_cache(), int64_t{256} << 20), spare) / kPerThread * kPerThread;
    memory_ = std::max(std::min(2 * cold_, spare), int64_t{1} << 20);
    first_.assign(static_cast<std::size_t>(cold_ / 8), 1);
  }

  const support::Device& device() const override { return device_; }
  int64_t memory_bytes() const override { return memory_; }
  int64_t cold_bytes() const override { return cold_; }

  std::string method() const override {
    return "Median time of one call by the steady clock; spread is the distance between the quartiles. Before a call, "
           "at least " +
           bytes_text(static_cast<double>(cold_)) +
           " of other data is touched, twice the largest cache. The limits are the fastest of several passes over as "
           "many "
           "bytes by as many threads: a sum of 64-bit words (read), memcpy of one long piece a thread (copy, read + "
           "written).";
  }

  Limits measure_limits(int passes) override {
    std::vector<uint64_t> second(first_.size(), 2);
    double read = 1e30, copy = 1e30;
    for (int i = 0; i < passes; ++i) {
      read = std::min(read, seconds([&] { read_all(); }));
      copy = std::min(copy, seconds([&] {
                        on_threads(threads_, [&](int thread) {
                          const auto [begin, end] = part(thread);
                          std::memcpy(second.data() + begin, first_.data() + begin, (end - begin) * sizeof(uint64_t));
                        });
                      }));
    }
    const auto bytes = static_cast<double>(cold_);
    return {{{bytes, read}}, 2 * bytes / copy};
  }

  Timing time(const Instances& instances, bool evict, const Effort& effort) override {
    // A row that takes much longer than asked for is stopped early, but not before three samples.
    constexpr double kPatience = 8;
    std::vector<double> samples;
    double total = 0;
    const Clock::time_point start = Clock::now();
    for (;;) {
      if (evict) read_all();
      for (const auto& instance : instances) {
        samples.push_back(seconds([&] { require(instance->call(device_.stream)); }));
        total += samples.back();
        const auto count = static_cast<int>(samples.size());
        if (count >= effort.repeats && total >= effort.min_time) return summarise(std::move(samples));
        if (count >= 3 && seconds_since(start) > kPatience * effort.min_time + 1) return summarise(std::move(samples));
      }
    }
  }

 private:
  static constexpr int64_t kPerThread = 1 << 20;

  template <class Work>
  static double seconds(Work&& work) {
    const Clock::time_point start = Clock::now();
    work();
    return seconds_since(start);
  }

  std::pair<std::size_t, std::size_t> part(int thread) const {
    const std::size_t n = first_.size() / 8, threads = static_cast<std::size_t>(threads_),
                      i = static_cast<std::size_t>(thread);
    return {n * i / threads * 8, n * (i + 1) / threads * 8};
  }

  void read_all() {
    on_threads(threads_, [&](int thread) {
      const auto [begin, end] = part(thread);
      uint64_t sums[8] = {};
      for (std::size_t k = begin; k < end; k += 8) {
        for (std::size_t j = 0; j < 8; ++j) sums[j] += first_[k + j];
      }
      for (const uint64_t sum : sums) sink_ = sum;
    });
  }

  support::Device device_;
  int threads_;
  int64_t cold_, memory_;
  std::vector<uint64_t> first_;
  static thread_local volatile uint64_t sink_;
};

thread_local volatile uint64_t CpuBenchDevice::sink_ = 0;

}  // namespace

std::unique_ptr<BenchDevice> cpu_bench_device(const tools::OpenDevice& open) {
  return std::make_unique<CpuBenchDevice>(open);
}

}  // namespace bench
