#include "cuda/block_move/copy_list.hpp"

#include <algorithm>
#include <cstring>

#include "cuda/launch.hpp"
#include "cuda/policy.hpp"

namespace vkv::cuda {

namespace {
constexpr int64_t kEntryBytes = 64 * 1024;  // longer copies are cut, so that entries of a table are not too unlike
constexpr int64_t kCtasPerSm = 2;           // of the kernel that copies inside the device
}  // namespace

// Whether the GPU and this build of the library have them.
static bool has_bulk_copies(const CudaContext& ctx) {
#ifdef VKV_HAS_BULK_COPIES
  return ctx.cc_major >= 9;
#else
  static_cast<void>(ctx);
  return false;
#endif
}

void CopyList::add(const CopyRun& run, const Region& src, const Region& dst) {
  const bool from_device = src.where == Where::kDevice, to_device = dst.where == Where::kDevice;
  if (from_device && to_device) return add_to_table(Way::kThreads, ctx_.num_sms * kCtasPerSm, run.src, run.dst, run.bytes);
  const bool pinned = (from_device && dst.where == Where::kPinned) || (to_device && src.where == Where::kPinned);
  if (!pinned) return add_to_driver(Way::kMemcpy, run);
  const SwapPolicy& policy = to_device ? options_.policies.to_device : options_.policies.to_host;
  const Way way = run.bytes < policy.from ? policy.below : policy.above;
  if (way == Way::kBatch || way == Way::kMemcpy || options_.alignment < 16) return add_to_driver(way, run);
  // Only one of the two is host memory.
  add_to_table(way, policy.ctas, run.src + src.to_device, run.dst + dst.to_device, run.bytes);
}

void CopyList::add_to_table(Way way, int64_t ctas, const char* src, char* dst, int64_t bytes) {
  if (way == Way::kBulk && !has_bulk_copies(ctx_)) way = Way::kThreads;
  if (entries_ > 0 && (way != table_way_ || ctas != table_ctas_)) flush_table();
  table_way_ = way;
  table_ctas_ = ctas;
  for (int64_t at = 0; at < bytes; at += kEntryBytes) {
    const auto offset = [&](const char* p, const char* base) { return ((p + at) - base) / options_.alignment; };
    const auto fits = [](int64_t units) { return units == static_cast<int32_t>(units); };
    if (entries_ == kManyCopies ||
        (entries_ > 0 && !(fits(offset(src, table_.head.src)) && fits(offset(dst, table_.head.dst))))) {
      flush_table();
    }
    if (entries_ == 0) {
      table_.head.src = src + at;
      table_.head.dst = dst + at;
    }
    const auto length = static_cast<uint32_t>(std::min(bytes - at, kEntryBytes));
    table_.entry[entries_++] = {static_cast<int32_t>(offset(src, table_.head.src)),
                                static_cast<int32_t>(offset(dst, table_.head.dst)), length};
    longest_ = std::max(longest_, length);
  }
}

template <int kEntries>
void CopyList::launch_table(const CopyTable<kEntries>& table) const {
  const int64_t ctas = options_.max_sms > 0 ? std::min<int64_t>(options_.max_sms, table_ctas_) : table_ctas_;
  const int64_t most = std::min<int64_t>(ctas, table.head.items);
#ifdef VKV_HAS_BULK_COPIES
  if (table_way_ == Way::kBulk) return copy_by_bulk(ctx_, table, most, options_.stream);
#endif
  copy_by_threads(ctx_, table, std::min<int64_t>(options_.alignment, 16), most, options_.stream);
}

void CopyList::flush_table() {
  if (entries_ == 0) return;
  const uint32_t pieces = (longest_ + kPieceBytes - 1) / kPieceBytes;
  table_.head.items = static_cast<uint32_t>(entries_) * pieces;
  table_.head.pieces = FastDiv(pieces);
  table_.head.shift = 0;
  while (int64_t{1} << table_.head.shift < options_.alignment) ++table_.head.shift;
  if (entries_ <= kFewCopies) {
    CopyTable<kFewCopies> few;
    few.head = table_.head;
    std::memcpy(few.entry, table_.entry, static_cast<size_t>(entries_) * sizeof(CopyTableEntry));
    launch_table(few);
  } else {
    launch_table(table_);
  }
  entries_ = 0;
  longest_ = 0;
}

void CopyList::add_to_driver(Way way, const CopyRun& run) {
  if (driver_count_ == kDriverCopies || (driver_count_ > 0 && way != driver_way_)) flush_driver();
  driver_way_ = way;
  driver_dst_[driver_count_] = reinterpret_cast<CUdeviceptr>(run.dst);
  driver_src_[driver_count_] = reinterpret_cast<CUdeviceptr>(run.src);
  driver_bytes_[driver_count_] = static_cast<size_t>(run.bytes);
  driver_entry_[driver_count_] = run.entry;
  ++driver_count_;
}

// The batched copy refuses the legacy default stream, and a capture drops it.
bool CopyList::batch_usable() const {
  if (driver_way_ != Way::kBatch || driver().memcpy_batch == nullptr) return false;
  if (options_.stream == nullptr || options_.stream == cudaStreamLegacy) return false;
  cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
  require("cudaStreamIsCapturing", cudaStreamIsCapturing(options_.stream, &capture));
  return capture == cudaStreamCaptureStatusNone;
}

void CopyList::fail_at(int64_t i, int status) const {
  const auto error = static_cast<cudaError_t>(status);  // the driver's numbers are the runtime's
  fail(VKV_ERROR_CUDA, "%s: entry %lld (%zu bytes): %s (%s)", options_.function, static_cast<long long>(driver_entry_[i]),
       driver_bytes_[i], cudaGetErrorString(error), cudaGetErrorName(error));
}

void CopyList::flush_driver() {
  const int count = driver_count_;
  driver_count_ = 0;
  if (count > 1 && batch_usable()) {
    CUmemcpyAttributes_v1 attributes = {};
    attributes.srcAccessOrder =
        options_.source_order_any ? CU_MEMCPY_SRC_ACCESS_ORDER_ANY : CU_MEMCPY_SRC_ACCESS_ORDER_STREAM;
    size_t first = 0, failed = 0;
    const CUresult status = driver().memcpy_batch(driver_dst_, driver_src_, driver_bytes_, static_cast<size_t>(count),
                                                  &attributes, &first, 1, &failed, options_.stream);
    if (status != CUDA_SUCCESS) fail_at(failed < static_cast<size_t>(count) ? static_cast<int64_t>(failed) : 0, status);
    return;
  }
  for (int i = 0; i < count; ++i) {
    const cudaError_t status =
        cudaMemcpyAsync(reinterpret_cast<void*>(driver_dst_[i]), reinterpret_cast<const void*>(driver_src_[i]),
                        driver_bytes_[i], cudaMemcpyDefault, options_.stream);
    if (status != cudaSuccess) fail_at(i, status);
  }
}

}  // namespace vkv::cuda
