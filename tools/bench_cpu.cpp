// Timing on the CPU: each call by the steady clock, over instances that together exceed the caches, or with the caches
// emptied before each round. The limits are measured by plain threads, as many as the context has.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "tools/bench.hpp"
#include "tools/buffer.hpp"

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

// Threads wait here for each other.
class Barrier {
 public:
  explicit Barrier(int threads) : threads_(threads) {}
  void wait() {
    const int round = round_.load();
    if (arrived_.fetch_add(1) + 1 == threads_) {
      arrived_.store(0);
      round_.store(round + 1);
    }
    while (round_.load() == round) std::this_thread::yield();
  }

 private:
  const int threads_;
  std::atomic<int> arrived_{0}, round_{0};
};

// The fastest plain read and copy that we could write: four pages at a time; the copy does not read what it overwrites.
constexpr std::size_t kLine = 64 / sizeof(uint64_t), kPage = 4096 / sizeof(uint64_t), kPages = 4 * kPage;

template <class Line>
void each_line(std::size_t words, Line&& line) {
  for (std::size_t first = 0; first < words; first += kPages) {
    for (std::size_t i = 0; i < kPage; i += kLine) {
      for (std::size_t page = 0; page < kPages; page += kPage) line(first + page + i);
    }
  }
}

uint64_t read_words(const uint64_t* from, std::size_t words) {
  uint64_t sums[kLine] = {}, sum = 0;
  each_line(words, [&](std::size_t at) {
    for (std::size_t i = 0; i < kLine; ++i) sums[i] += from[at + i];
  });
  for (const uint64_t s : sums) sum += s;
  return sum;
}

void copy_words(uint64_t* to, const uint64_t* from, std::size_t words) {
#if defined(__SSE2__)
  each_line(words, [&](std::size_t at) {
    const auto* source = reinterpret_cast<const __m128i*>(from + at);
    auto* destination = reinterpret_cast<__m128i*>(to + at);
    for (int i = 0; i < 4; ++i) _mm_stream_si128(destination + i, _mm_load_si128(source + i));
  });
  _mm_sfence();
#else
  std::memcpy(to, from, words * sizeof *to);
#endif
}

class CpuBenchDevice final : public BenchDevice {
 public:
  explicit CpuBenchDevice(const tools::OpenDevice& open) : device_(open.device), threads_(open.info.num_threads) {
    const int64_t spare = available_memory() / 6, unit = threads_ * static_cast<int64_t>(kPages * sizeof(uint64_t));
    cold_ = std::max(std::min(std::max(2 * largest_cache(), int64_t{256} << 20), spare) / unit, int64_t{1}) * unit;
    memory_ = std::min(2 * cold_, spare);
    piece_ = static_cast<std::size_t>(std::min(kPieceBytes, cold_ / threads_)) / sizeof(uint64_t);
    for (uint64_t** words : {&first_, &second_}) {
      buffers_.emplace_back(support::host_memory(), static_cast<std::size_t>(cold_));
      *words = static_cast<uint64_t*>(buffers_.back().data());
      std::memset(*words, 1, static_cast<std::size_t>(cold_));
    }
  }

  const support::Device& device() const override { return device_; }
  int64_t memory_bytes() const override { return memory_; }
  int64_t cold_bytes() const override { return cold_; }

  std::string method() const override {
    return "Median time of one call by the steady clock; spread is the distance between the quartiles. Before a call, "
           "at least " +
           bytes_text(static_cast<double>(cold_)) +
           " of other data is touched, twice the largest cache. The limits are the best 5 % of pieces of 8 MiB a "
           "thread, read "
           "or copied (read + written, without reading the destination) by as many threads.";
  }

  Limits measure_limits(int passes) override {
    std::vector<double> read, copy;
    for (int i = 0; i < passes; ++i) {
      time_pieces(read, [&](std::size_t at) { sink_ = read_words(first_ + at, piece_); });
      time_pieces(copy, [&](std::size_t at) { copy_words(second_ + at, first_ + at, piece_); });
    }
    const auto bytes = static_cast<double>(threads_) * static_cast<double>(piece_ * sizeof(uint64_t));
    const double fastest = best(read);
    return {{{bytes, fastest}}, 2 * bytes / best(copy), fastest / read[read.size() / 2], 0};
  }

  Timing time(const Instances& instances, bool evict, const Effort& effort) override {
    // A row that takes much longer than asked for is stopped early, but not before three samples.
    constexpr double kPatience = 8;
    std::vector<double> samples;
    double total = 0;
    const Clock::time_point start = Clock::now();
    for (;;) {
      if (evict) {
        std::vector<double> unused;
        time_pieces(unused, [&](std::size_t at) { sink_ = read_words(first_ + at, piece_); });
      }
      for (const auto& instance : instances) {
        samples.push_back(seconds([&] { require(instance->call(device_.stream)); }));
        total += samples.back();
        const auto count = static_cast<int>(samples.size());
        if (count >= effort.repeats && total >= effort.min_time) return summarise(std::move(samples));
        if (count >= 3 && seconds_since(start) > kPatience * effort.min_time + 1) return summarise(std::move(samples));
      }
    }
  }

  Timing time_beside_copy(const Instances& instances, int64_t bytes, const Effort& effort) override {
    std::vector<double> copies;
    const Instance::Sides sides = instances.front()->one_copy();
    for (int i = 0; i < effort.repeats; ++i) {
      copies.push_back(seconds([&] { std::memcpy(sides.to, sides.from, static_cast<std::size_t>(bytes)); }));
    }
    Timing timing = time(instances, false, effort);
    timing.one_copy = summarise(std::move(copies)).median;
    return timing;
  }

 private:
  static constexpr int64_t kPieceBytes = 8 << 20;

  template <class Work>
  static double seconds(Work&& work) {
    const Clock::time_point start = Clock::now();
    work();
    return seconds_since(start);
  }

  // Passes over the buffers once: all threads work on neighbouring pieces at the same time.
  template <class Work>
  void time_pieces(std::vector<double>& samples, Work&& work) {
    Barrier barrier(threads_);
    const auto threads = static_cast<std::size_t>(threads_);
    const std::size_t rounds = static_cast<std::size_t>(cold_) / sizeof(uint64_t) / (piece_ * threads);
    on_threads(threads_, [&](int thread) {
      Clock::time_point start;
      for (std::size_t round = 0; round < rounds; ++round) {
        barrier.wait();
        if (thread == 0) start = Clock::now();
        work((round * threads + static_cast<std::size_t>(thread)) * piece_);
        barrier.wait();
        if (thread == 0) samples.push_back(seconds_since(start));
      }
    });
  }

  // Of the fastest 5 %, the slowest: not a lucky piece, but one that nothing else on the machine slowed down.
  static double best(std::vector<double>& samples) {
    std::sort(samples.begin(), samples.end());
    return samples[samples.size() / 20];
  }

  support::Device device_;
  int threads_;
  int64_t cold_, memory_;
  std::size_t piece_;  // words
  std::vector<tools::Buffer> buffers_;
  uint64_t *first_ = nullptr, *second_ = nullptr;
  static thread_local volatile uint64_t sink_;
};

thread_local volatile uint64_t CpuBenchDevice::sink_ = 0;

}  // namespace

std::unique_ptr<BenchDevice> cpu_bench_device(const tools::OpenDevice& open) {
  return std::make_unique<CpuBenchDevice>(open);
}

}  // namespace bench
