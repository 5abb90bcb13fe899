// Worker threads of one CPU context. Any number of threads may submit loops at once; the submitter works too, so a loop
// always makes progress, and which thread runs an index never changes a result.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace vkv::cpu {

class ThreadPool {
 public:
  // `threads` counts the submitter: threads - 1 workers are started.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls f(i) for each i in [0, n), in any order, and returns when all are done. f must not throw.
  template <class F>
  void for_each(int64_t n, F&& f) {
    if (n == 1 || workers_.empty()) {
      for (int64_t i = 0; i < n; ++i) f(i);
      return;
    }
    Loop loop;
    loop.body = [](void* context, int64_t i) { (*static_cast<std::remove_reference_t<F>*>(context))(i); };
    loop.context = const_cast<void*>(static_cast<const void*>(&f));
    loop.size = n;
    submit(loop);
  }

  // Calls f(begin, end) on ranges that cover [0, n), each worth about `bytes_each` * (end - begin) >= 64 KiB of traffic.
  template <class F>
  void for_ranges(int64_t n, int64_t bytes_each, F&& f) {
    constexpr int64_t kRangeBytes = 64 * 1024;
    int64_t ranges = n * (bytes_each > 0 ? bytes_each : 1) / kRangeBytes;
    const int64_t most = static_cast<int64_t>(threads()) * 8;
    if (ranges > most) ranges = most;
    if (ranges > n) ranges = n;
    if (ranges <= 1) {
      if (n > 0) f(int64_t{0}, n);
      return;
    }
    for_each(ranges, [&](int64_t r) { f(n * r / ranges, n * (r + 1) / ranges); });
  }

 private:
  struct Loop {
    void (*body)(void*, int64_t);
    void* context;
    int64_t size;
    std::atomic<int64_t> next{0};
    int helpers = 0;       // workers inside; guarded by mutex_
    Loop* after = nullptr; // list of open loops; guarded by mutex_
  };

  void submit(Loop& loop);
  void work();
  static void drain(Loop& loop);
  Loop* open_loop();

  std::mutex mutex_;
  std::condition_variable work_;  // a loop was opened, or stop
  std::condition_variable done_;  // a worker left a loop
  Loop* loops_ = nullptr;
  bool stop_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace vkv::cpu
