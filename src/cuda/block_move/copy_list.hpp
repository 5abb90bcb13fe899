// CopyList: takes copies between any two memories one by one and enqueues each in the way that its memories and length ask
// for. It allocates nothing: lists are cut where its arrays are full.
#pragma once

#include "cuda/block_move/copy_table.hpp"
#include "cuda/block_move/driver.hpp"
#include "cuda/block_move/pointer_map.hpp"
#include "cuda/block_move/swap_policy.hpp"

namespace vkv::cuda {

struct CopyRun {
  const char* src;
  char* dst;
  int64_t bytes;
  int64_t entry;  // of the caller's list, the first that it holds
};

struct CopyListOptions {
  const char* function;  // for messages
  vkv_stream stream;
  int32_t max_sms;  // 0 = no limit
  bool source_order_any;
  int64_t alignment;  // a power of two that divides every address and length to come
  SwapPolicies policies;
};

class CopyList {
 public:
  CopyList(const CudaContext& ctx, const CopyListOptions& options) : ctx_(ctx), options_(options) {}

  void add(const CopyRun& run, const Region& src, const Region& dst);
  // Enqueues what is left.
  void finish() {
    flush_table();
    flush_driver();
  }

 private:
  void add_to_table(Way way, int64_t ctas, const char* src, char* dst, int64_t bytes);
  void add_to_driver(Way way, const CopyRun& run);
  void flush_table();
  void flush_driver();
  template <int kEntries>
  void launch_table(const CopyTable<kEntries>& table) const;
  bool batch_usable() const;
  [[noreturn]] void fail_at(int64_t i, int status) const;

  const CudaContext& ctx_;
  const CopyListOptions options_;

  CopyTable<kManyCopies> table_;
  int entries_ = 0;
  Way table_way_ = Way::kThreads;
  int64_t table_ctas_ = 0;
  uint32_t longest_ = 0;

  static constexpr int kDriverCopies = 256;
  CUdeviceptr driver_dst_[kDriverCopies], driver_src_[kDriverCopies];
  size_t driver_bytes_[kDriverCopies];
  int64_t driver_entry_[kDriverCopies];
  Way driver_way_ = Way::kMemcpy;
  int driver_count_ = 0;
};

}  // namespace vkv::cuda
