#include "core/report.hpp"

#include <cstdio>

namespace vkv {

void Report::note(int32_t op, int32_t what, int64_t index, int64_t value, int64_t limit) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (first_.count++ != 0) return;
  first_.op = op;
  first_.what = what;
  first_.index = index;
  first_.value = value;
  first_.limit = limit;
}

vkv_device_report Report::take() noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  const vkv_device_report taken = first_;
  first_ = {};
  return taken;
}

namespace {
const char* what_name(int32_t what) {
  switch (what) {
    case VKV_REPORT_SLOT: return "slot";
    case VKV_REPORT_BLOCK_ID: return "block id";
    case VKV_REPORT_TABLE_COLUMN: return "table column";
    case VKV_REPORT_LENGTH: return "length";
    case VKV_REPORT_OFFSET: return "offset";
    case VKV_REPORT_POSITION: return "position";
    default: return "number";
  }
}
}  // namespace

void describe_report(vkv_device_report& report) noexcept {
  report.message[0] = '\0';
  if (report.count == 0) return;
  std::snprintf(report.message, sizeof report.message, "%s: %s %lld at index %lld is outside [0, %lld); events: %llu",
                op_name(report.op), what_name(report.what), static_cast<long long>(report.value),
                static_cast<long long>(report.index), static_cast<long long>(report.limit),
                static_cast<unsigned long long>(report.count));
}

const char* op_name(int32_t op) noexcept {
  switch (op) {
    case VKV_OP_PAGED_ATTENTION: return "paged_attention";
    case VKV_OP_PAGED_ATTENTION_V1: return "paged_attention_v1";
    case VKV_OP_PAGED_ATTENTION_V2: return "paged_attention_v2";
    case VKV_OP_MERGE_ATTN_STATES: return "merge_attn_states";
    case VKV_OP_RESHAPE_AND_CACHE: return "reshape_and_cache";
    case VKV_OP_RESHAPE_AND_CACHE_FLASH: return "reshape_and_cache_flash";
    case VKV_OP_CONCAT_AND_CACHE_MLA: return "concat_and_cache_mla";
    case VKV_OP_CONCAT_AND_CACHE_MLA_ROPE_FUSED: return "concat_and_cache_mla_rope_fused";
    case VKV_OP_CONVERT_FP8: return "convert_fp8";
    case VKV_OP_GATHER_AND_MAYBE_DEQUANT_CACHE: return "gather_and_maybe_dequant_cache";
    case VKV_OP_CP_GATHER_CACHE: return "cp_gather_cache";
    case VKV_OP_CP_GATHER_AND_UPCONVERT_FP8_KV_CACHE: return "cp_gather_and_upconvert_fp8_kv_cache";
    case VKV_OP_INDEXER_K_QUANT_AND_CACHE: return "indexer_k_quant_and_cache";
    case VKV_OP_CP_GATHER_INDEXER_K_QUANT_CACHE: return "cp_gather_indexer_k_quant_cache";
    case VKV_OP_CONCAT_MLA_Q: return "concat_mla_q";
    case VKV_OP_SWAP_BLOCKS: return "swap_blocks";
    case VKV_OP_SWAP_BLOCKS_BATCH: return "swap_blocks_batch";
    case VKV_OP_COPY_BLOCKS: return "copy_blocks";
    default: return "unknown op";
  }
}

}  // namespace vkv
