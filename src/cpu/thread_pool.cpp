#include "cpu/thread_pool.hpp"

#include <exception>

namespace vkv::cpu {

ThreadPool::ThreadPool(int threads) {
  workers_.reserve(static_cast<std::size_t>(threads) - 1);
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
  } catch (const std::exception&) {
    // The system gives no more threads: work with those that started.
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::drain(Loop& loop) {
  for (int64_t i = loop.next.fetch_add(1); i < loop.size; i = loop.next.fetch_add(1)) loop.body(loop.context, i);
}

void ThreadPool::submit(Loop& loop) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    loop.after = loops_;
    loops_ = &loop;
  }
  work_.notify_all();
  drain(loop);
  std::unique_lock<std::mutex> lock(mutex_);
  Loop** link = &loops_;
  while (*link != &loop) link = &(*link)->after;
  *link = loop.after;
  done_.wait(lock, [&] { return loop.helpers == 0; });
}

ThreadPool::Loop* ThreadPool::open_loop() {
  for (Loop* loop = loops_; loop != nullptr; loop = loop->after) {
    if (loop->next.load(std::memory_order_relaxed) < loop->size) return loop;
  }
  return nullptr;
}

void ThreadPool::work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    Loop* loop = nullptr;
    work_.wait(lock, [&] { return stop_ || (loop = open_loop()) != nullptr; });
    if (loop == nullptr) return;  // stop
    ++loop->helpers;
    lock.unlock();
    drain(*loop);
    lock.lock();
    if (--loop->helpers == 0) done_.notify_all();
  }
}

}  // namespace vkv::cpu
