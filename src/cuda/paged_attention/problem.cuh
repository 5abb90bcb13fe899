// What attention kernels are given, and how they read lengths, offsets and block ids: each put into its bounds, and noted if
// it was outside, as the CPU backend does.
#pragma once

#include <cstdint>

#include "cuda/primitives/fast_div.cuh"
#include "cuda/primitives/report.cuh"
#include "vkv.h"

namespace vkv::cuda {

// int32 tensors of one dimension; stride in elements. Null: absent.
struct Integers {
  const int32_t* data;
  int64_t stride;
#ifdef __CUDACC__
  __device__ int32_t at(int64_t i) const { return __ldg(data + i * stride); }
#endif
};

// One sequence, every number within its bounds.
struct AttentionSequence {
  int32_t length;      // tokens in the cache
  int32_t query_len;   // query tokens; the last one is at position length - 1
  int64_t query_begin; // row of its first query token
  int64_t entry;       // CSR: its first element of kv_indices
};

struct AttentionSequences {
  Integers seq_lens;                                // padded form, or
  Integers kv_indptr, kv_last_page_len;             // CSR form
  Integers query_start_loc;                         // null: one query token each
  int64_t num_tokens, entries, block_size;
  int32_t max_seq_len, max_query_len, op;
  ReportWords* report;

#ifdef __CUDACC__
  // Called by whole warps. `reports`: exactly one warp of the launch for each sequence.
  __device__ AttentionSequence read(int32_t s, bool reports) const;

  // The same in steps, so that loads overlap: what is stored of the length; query_begin and query_len; length and entry.
  struct Stored {
    int32_t length;  // or tokens of the last page
    int32_t begin, end;
  };
  __device__ Stored load(int32_t s) const;
  __device__ void read_queries(AttentionSequence& q, int32_t s, bool reports) const;
  __device__ void read_length(AttentionSequence& q, int32_t s, const Stored& stored, bool reports) const;

 private:
  __device__ int64_t bounded(int32_t what, int64_t index, int64_t value, int64_t low, int64_t high, bool reports) const {
    if (value >= low && value <= high) return value;
    if (reports && threadIdx.x % 32 == 0) note(report, op, what, index, value, high + 1);
    return value < low ? low : high;
  }
#endif
};

// Where the tokens of one side, K or V, lie; strides in bytes.
struct CacheSide {
  const char* data;
  int64_t block, token, head;
  int64_t pitch;   // x-packed: from one run of 16 bytes of a token to the next (K), or from dim to dim (V); else 16
  // NVFP4: a block's scales lie behind its data.
  int64_t scales, scale_token, scale_head;
};

// The pages of every sequence.
struct AttentionPages {
  const int32_t* table;  // block_table, or kv_indices
  int64_t row_stride;    // padded: from sequence to sequence; CSR: 0
  int64_t entry_stride;
  int64_t columns;       // padded: of a row
  FastDiv block_size;
  uint32_t num_blocks;
  bool csr;
  int32_t op;
  ReportWords* report;

#ifdef __CUDACC__
  __device__ const int32_t* row(int32_t s, const AttentionSequence& q) const {
    return table + s * row_stride + q.entry * entry_stride;
  }
  // Hints to the L2, before lengths are known, for padded tables: the entries of `part` of 2^parts equal ones, if the sequence
  // is as long as can be; and those of `s` from 4096 * turn on.
  __device__ void prefetch_part(int32_t s, int32_t part, int parts) const {
    const int64_t share = (columns >> parts) + 1;
    if (threadIdx.x * 32 < share) prefetch(s, part * share + static_cast<int64_t>(threadIdx.x) * 32);
  }
  __device__ void prefetch_turn(int32_t s, int64_t turn) const { prefetch(s, (turn * blockDim.x + threadIdx.x) * 32); }
  __device__ void prefetch(int32_t s, int64_t column) const {
    if (!csr && column < columns) asm volatile("prefetch.global.L2 [%0];" ::"l"(table + s * row_stride + column));
  }
  // Out of line: what is wrong with the id of `column` of the sequence whose row() is `entries`.
  __device__ __noinline__ void report_block(int32_t s, const int32_t* entries, uint32_t column, int32_t id) const {
    note(report, op, VKV_REPORT_BLOCK_ID, csr ? (entries - table) / entry_stride + column : s * columns + column, id, num_blocks);
  }
#endif
};

// vLLM's block-sparse rule, made ready.
struct AttentionSparse {
  int32_t vert_stride;  // at most 1: off
  int32_t local_blocks;
  FastDiv block_size;
  int32_t step;       // |head_sliding_step| % vert_stride
  bool by_kv_head;    // head_sliding_step < 0
  int32_t rank;       // tp_rank * heads % vert_stride
#ifdef __CUDACC__
  __device__ __noinline__ int32_t offset(int32_t query_head, int32_t kv_head) const {
    const int64_t head = by_kv_head ? kv_head : query_head;
    return static_cast<int32_t>(((rank + head) % vert_stride * step + 1) % vert_stride);
  }
  // `first`: first token of the cache block of the key.
  __device__ __noinline__ bool attends(int32_t position, uint32_t first, int32_t offset) const {
    const int32_t key_block = static_cast<int32_t>(block_size.divide(first));
    const int32_t query_block = static_cast<int32_t>(block_size.divide(static_cast<uint32_t>(position)));
    return static_cast<int64_t>(key_block) > static_cast<int64_t>(query_block) - local_blocks ||
           (static_cast<int64_t>(key_block) + offset) % vert_stride == 0;
  }
#endif
};

// What a kernel needs first comes first: a cold constant cache fetches 64 bytes at a time.
struct AttentionParams {
  AttentionSequences sequences;
  AttentionPages pages;
  const char* query;
  char* out;
  float* lse;  // null: not wanted
  int64_t query_token, query_head, out_token, out_head;  // bytes
  int64_t lse_token, lse_head;                           // elements
  CacheSide key, value;
  const float *k_scale, *v_scale;  // null: 1
  int64_t k_scale_stride, v_scale_stride;
  const float *alibi_slopes, *sinks;  // null: none
  int64_t alibi_stride, sink_stride;
  AttentionSparse sparse;
  float softmax_scale, softcap;  // softcap 0: off
  int32_t sliding_window;        // 0: off
  int32_t num_seqs, num_heads, num_kv_heads, head_dim;
  FastDiv group;                 // query heads of a KV head
  vkv_dtype query_dtype, cache_dtype;
  bool x_packed, swizzled_v;

#ifdef __CUDACC__
  // Oldest token that a query token at `position` attends to.
  __device__ int32_t oldest(int32_t position) const {
    return sliding_window == 0 ? 0 : max(position - sliding_window + 1, 0);
  }
  __device__ float key_scale(int32_t kv_head) const {
    return k_scale == nullptr ? 1.0f : __ldg(k_scale + kv_head * k_scale_stride);
  }
  __device__ float value_scale(int32_t kv_head) const {
    return v_scale == nullptr ? 1.0f : __ldg(v_scale + kv_head * v_scale_stride);
  }
#endif
};

#ifdef __CUDACC__

inline __device__ AttentionSequences::Stored AttentionSequences::load(int32_t s) const {
  if (kv_indptr.data == nullptr) return {seq_lens.at(s), 0, 0};
  return {kv_last_page_len.at(s), kv_indptr.at(s), kv_indptr.at(s + 1)};
}

inline __device__ void AttentionSequences::read_queries(AttentionSequence& q, int32_t s, bool reports) const {
  q.query_begin = s;
  q.query_len = 1;
  if (query_start_loc.data == nullptr) return;
  if (s == 0) bounded(VKV_REPORT_OFFSET, 0, query_start_loc.at(0), 0, num_tokens, reports);
  // Rows begin where all sequences before have ended, so that none has two owners whatever the offsets.
  int64_t begin = 0;
  for (int32_t i = static_cast<int32_t>(threadIdx.x % 32); i <= s; i += 32) {
    begin = max(begin, static_cast<int64_t>(query_start_loc.at(i)));
  }
  begin = min(begin, num_tokens);
  begin = __reduce_max_sync(0xFFFFFFFFu, static_cast<uint32_t>(begin));
  const int64_t end = bounded(VKV_REPORT_OFFSET, s + 1, query_start_loc.at(s + 1), begin, num_tokens, reports);
  q.query_begin = begin;
  q.query_len = static_cast<int32_t>(bounded(VKV_REPORT_LENGTH, s, end - begin, 0, max_query_len, reports));
}

inline __device__ void AttentionSequences::read_length(AttentionSequence& q, int32_t s, const Stored& stored, bool reports) const {
  q.entry = 0;
  int64_t tokens = stored.length;
  if (kv_indptr.data != nullptr) {
    if (s == 0) bounded(VKV_REPORT_OFFSET, 0, stored.begin, 0, entries, reports);
    // A bad entry spoils its two sequences, no others.
    q.entry = min(max(static_cast<int64_t>(stored.begin), int64_t{0}), entries);
    const int64_t end = bounded(VKV_REPORT_OFFSET, s + 1, stored.end, q.entry, entries, reports);
    tokens = end > q.entry ? (end - q.entry - 1) * block_size + bounded(VKV_REPORT_LENGTH, s, stored.length, 0, block_size, reports)
                           : 0;
  }
  q.length = static_cast<int32_t>(bounded(VKV_REPORT_LENGTH, s, tokens, 0, max_seq_len, reports));
}

inline __device__ AttentionSequence AttentionSequences::read(int32_t s, bool reports) const {
  AttentionSequence q;
  read_queries(q, s, reports);
  read_length(q, s, load(s), reports);
  return q;
}

#endif

}  // namespace vkv::cuda
