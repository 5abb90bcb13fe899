/* A program of libvkv 1.0: compiled against the header frozen beside it, run with the library of today. Every op, one small
 * problem on the CPU backend whose result is known. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vkv.h"

static int failures;
static const vkv_context* ctx;

static void expect(int good, const char* what) {
  if (good) return;
  ++failures;
  fprintf(stderr, "failed: %s; last message: %s\n", what, vkv_last_error_message());
}

static void expect_ok(vkv_status status, const char* what) {
  if (status != VKV_OK) fprintf(stderr, "%s: %s\n", what, vkv_status_string(status));
  expect(status == VKV_OK, what);
}

static void expect_floats(const float* got, const float* want, int n, const char* what) {
  for (int i = 0; i < n; ++i) {
    if (fabsf(got[i] - want[i]) > 1e-6f) { /* one float32 rounding of numbers near 1 */
      fprintf(stderr, "%s[%d] is %g, expected %g\n", what, i, (double)got[i], (double)want[i]);
      expect(0, what);
      return;
    }
  }
}

static vkv_tensor tensor(void* data, vkv_dtype dtype, int ndim, ...) {
  vkv_tensor t;
  va_list shape;
  memset(&t, 0, sizeof t);
  t.data = data;
  t.dtype = dtype;
  t.ndim = ndim;
  va_start(shape, ndim);
  for (int i = 0; i < ndim; ++i) t.shape[i] = va_arg(shape, int);
  va_end(shape);
  return t;
}

/* Two cached tokens and a query of zeros: both weigh the same. */
static const float kHalfway[8] = {1, 2, 3, 4, 5, 6, 7, 8};

static void paged_attention(void) {
  float query[8] = {0}, out[8], lse[1], key[16] = {0}, value[16];
  int32_t table[1] = {0}, lens[1] = {2};
  const float log2[1] = {0.69314718f};
  size_t bytes = 12345;
  vkv_paged_attention_params p = VKV_INIT(vkv_paged_attention_params);
  for (int d = 0; d < 8; ++d) {
    value[d] = kHalfway[d] - 1;
    value[8 + d] = kHalfway[d] + 1;
  }
  p.query = tensor(query, VKV_DTYPE_F32, 3, 1, 1, 8);
  p.out = tensor(out, VKV_DTYPE_F32, 3, 1, 1, 8);
  p.lse = tensor(lse, VKV_DTYPE_F32, 2, 1, 1);
  p.key_cache = tensor(key, VKV_DTYPE_F32, 4, 1, 2, 1, 8);
  p.value_cache = tensor(value, VKV_DTYPE_F32, 4, 1, 2, 1, 8);
  p.block_table = tensor(table, VKV_DTYPE_I32, 2, 1, 1);
  p.seq_lens = tensor(lens, VKV_DTYPE_I32, 1, 1);
  expect_ok(vkv_paged_attention_supported(ctx, &p), "paged_attention_supported");
  expect_ok(vkv_paged_attention_workspace_size(ctx, &p, &bytes), "paged_attention_workspace_size");
  p.workspace = aligned_alloc(256, (bytes / 256 + 1) * 256);
  p.workspace_size = bytes;
  expect_ok(vkv_paged_attention(ctx, &p, NULL), "paged_attention");
  expect_floats(out, kHalfway, 8, "paged_attention");
  expect_floats(lse, log2, 1, "paged_attention lse");
  free(p.workspace);
}

static void paged_attention_v1_v2(void) {
  float query[8] = {0}, out[8], key[16] = {0}, value[16];
  int32_t table[1] = {0}, lens[1] = {2};
  size_t bytes = 12345;
  vkv_paged_attention_v1_params p = VKV_INIT(vkv_paged_attention_v1_params);
  vkv_paged_attention_v2_params p2 = VKV_INIT(vkv_paged_attention_v2_params);
  for (int d = 0; d < 8; ++d) {
    value[2 * d] = kHalfway[d] - 1;
    value[2 * d + 1] = kHalfway[d] + 1;
  }
  p.query = tensor(query, VKV_DTYPE_F32, 3, 1, 1, 8);
  p.out = tensor(out, VKV_DTYPE_F32, 3, 1, 1, 8);
  p.key_cache = tensor(key, VKV_DTYPE_F32, 5, 1, 1, 2, 2, 4);
  p.value_cache = tensor(value, VKV_DTYPE_F32, 4, 1, 1, 8, 2);
  p.block_tables = tensor(table, VKV_DTYPE_I32, 2, 1, 1);
  p.seq_lens = tensor(lens, VKV_DTYPE_I32, 1, 1);
  p.max_seq_len = 2;
  expect_ok(vkv_paged_attention_v1_supported(ctx, &p), "paged_attention_v1_supported");
  expect_ok(vkv_paged_attention_v1_workspace_size(ctx, &p, &bytes), "paged_attention_v1_workspace_size");
  p.workspace = aligned_alloc(256, (bytes / 256 + 1) * 256);
  p.workspace_size = bytes;
  expect_ok(vkv_paged_attention_v1(ctx, &p, NULL), "paged_attention_v1");
  expect_floats(out, kHalfway, 8, "paged_attention_v1");
  free(p.workspace);

  memset(out, 0, sizeof out);
  p2.query = p.query;
  p2.out = p.out;
  p2.key_cache = p.key_cache;
  p2.value_cache = p.value_cache;
  p2.block_tables = p.block_tables;
  p2.seq_lens = p.seq_lens;
  p2.max_seq_len = 2;
  expect_ok(vkv_paged_attention_v2_supported(ctx, &p2), "paged_attention_v2_supported");
  expect_ok(vkv_paged_attention_v2_workspace_size(ctx, &p2, &bytes), "paged_attention_v2_workspace_size");
  p2.workspace = aligned_alloc(256, (bytes / 256 + 1) * 256);
  p2.workspace_size = bytes;
  expect_ok(vkv_paged_attention_v2(ctx, &p2, NULL), "paged_attention_v2");
  expect_floats(out, kHalfway, 8, "paged_attention_v2");
  free(p2.workspace);
}

static void merge_attn_states(void) {
  float prefix[2] = {1, 2}, suffix[2] = {3, 4}, out[2], prefix_lse[1] = {0}, suffix_lse[1] = {0}, lse[1];
  const float want[2] = {2, 3}, want_lse[1] = {0.69314718f};
  vkv_merge_attn_states_params p = VKV_INIT(vkv_merge_attn_states_params);
  p.output = tensor(out, VKV_DTYPE_F32, 3, 1, 1, 2);
  p.output_lse = tensor(lse, VKV_DTYPE_F32, 2, 1, 1);
  p.prefix_output = tensor(prefix, VKV_DTYPE_F32, 3, 1, 1, 2);
  p.prefix_lse = tensor(prefix_lse, VKV_DTYPE_F32, 2, 1, 1);
  p.suffix_output = tensor(suffix, VKV_DTYPE_F32, 3, 1, 1, 2);
  p.suffix_lse = tensor(suffix_lse, VKV_DTYPE_F32, 2, 1, 1);
  expect_ok(vkv_merge_attn_states_supported(ctx, &p), "merge_attn_states_supported");
  expect_ok(vkv_merge_attn_states(ctx, &p, NULL), "merge_attn_states");
  expect_floats(out, want, 2, "merge_attn_states");
  expect_floats(lse, want_lse, 1, "merge_attn_states lse");
}

static void reshape_and_cache(void) {
  float key[8] = {1, 2, 3, 4, 5, 6, 7, 8}, value[8] = {9, 10, 11, 12, 13, 14, 15, 16}, key_cache[16] = {0}, value_cache[16] = {0};
  const float want_key[16] = {0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 5, 6, 7, 8};
  const float want_value[16] = {0, 9, 0, 10, 0, 11, 0, 12, 0, 13, 0, 14, 0, 15, 0, 16};
  int64_t slot[1] = {1};
  vkv_reshape_and_cache_params p = VKV_INIT(vkv_reshape_and_cache_params);
  p.key = tensor(key, VKV_DTYPE_F32, 3, 1, 1, 8);
  p.value = tensor(value, VKV_DTYPE_F32, 3, 1, 1, 8);
  p.key_cache = tensor(key_cache, VKV_DTYPE_F32, 5, 1, 1, 2, 2, 4);
  p.value_cache = tensor(value_cache, VKV_DTYPE_F32, 4, 1, 1, 8, 2);
  p.slot_mapping = tensor(slot, VKV_DTYPE_I64, 1, 1);
  expect_ok(vkv_reshape_and_cache_supported(ctx, &p), "reshape_and_cache_supported");
  expect_ok(vkv_reshape_and_cache(ctx, &p, NULL), "reshape_and_cache");
  expect_floats(key_cache, want_key, 16, "reshape_and_cache key");
  expect_floats(value_cache, want_value, 16, "reshape_and_cache value");
}

/* The second of two slots: rows 0 of both caches stay 0. */
static void reshape_and_cache_flash(void) {
  float key[4] = {1, 2, 3, 4}, value[4] = {5, 6, 7, 8}, key_cache[8] = {0}, value_cache[8] = {0};
  const float want_key[8] = {0, 0, 0, 0, 1, 2, 3, 4}, want_value[8] = {0, 0, 0, 0, 5, 6, 7, 8};
  int64_t slot[1] = {1};
  vkv_device_report report = VKV_INIT(vkv_device_report);
  vkv_reshape_and_cache_flash_params p = VKV_INIT(vkv_reshape_and_cache_flash_params);
  p.key = tensor(key, VKV_DTYPE_F32, 3, 1, 1, 4);
  p.value = tensor(value, VKV_DTYPE_F32, 3, 1, 1, 4);
  p.key_cache = tensor(key_cache, VKV_DTYPE_F32, 4, 1, 2, 1, 4);
  p.value_cache = tensor(value_cache, VKV_DTYPE_F32, 4, 1, 2, 1, 4);
  p.slot_mapping = tensor(slot, VKV_DTYPE_I64, 1, 1);
  expect_ok(vkv_reshape_and_cache_flash_supported(ctx, &p), "reshape_and_cache_flash_supported");
  expect_ok(vkv_reshape_and_cache_flash(ctx, &p, NULL), "reshape_and_cache_flash");
  expect_floats(key_cache, want_key, 8, "reshape_and_cache_flash key");
  expect_floats(value_cache, want_value, 8, "reshape_and_cache_flash value");

  slot[0] = 2;
  expect_ok(vkv_reshape_and_cache_flash(ctx, &p, NULL), "reshape_and_cache_flash past the end");
  expect_floats(key_cache, want_key, 8, "reshape_and_cache_flash past the end");
  expect_ok(vkv_context_read_device_report(ctx, &report), "vkv_context_read_device_report");
  expect(report.count >= 1 && report.op == VKV_OP_RESHAPE_AND_CACHE_FLASH && report.what == VKV_REPORT_SLOT &&
             report.index == 0 && report.value == 2 && report.limit == 2 && report.message[0] != '\0',
         "device report");
}

static void concat_and_cache_mla(void) {
  float kv_c[4] = {1, 2, 3, 4}, k_pe[2] = {5, 6}, cache[12] = {0};
  const float want[12] = {0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6};
  int64_t slot[1] = {1};
  vkv_concat_and_cache_mla_params p = VKV_INIT(vkv_concat_and_cache_mla_params);
  p.kv_c = tensor(kv_c, VKV_DTYPE_F32, 2, 1, 4);
  p.k_pe = tensor(k_pe, VKV_DTYPE_F32, 2, 1, 2);
  p.kv_cache = tensor(cache, VKV_DTYPE_F32, 3, 1, 2, 6);
  p.slot_mapping = tensor(slot, VKV_DTYPE_I64, 1, 1);
  expect_ok(vkv_concat_and_cache_mla_supported(ctx, &p), "concat_and_cache_mla_supported");
  expect_ok(vkv_concat_and_cache_mla(ctx, &p, NULL), "concat_and_cache_mla");
  expect_floats(cache, want, 12, "concat_and_cache_mla");
}

/* Position 1 is a quarter turn: (x, y) becomes (-y, x). */
static void concat_and_cache_mla_rope_fused(void) {
  float q_pe[2] = {7, 8}, k_pe[2] = {5, 6}, kv_c[4] = {1, 2, 3, 4}, cos_sin[4] = {1, 0, 0, 1}, cache[12] = {0};
  const float want_q[2] = {-8, 7}, want_k[2] = {-6, 5}, want[12] = {0, 0, 0, 0, 0, 0, 1, 2, 3, 4, -6, 5};
  int64_t position[1] = {1}, slot[1] = {1};
  vkv_concat_and_cache_mla_rope_fused_params p = VKV_INIT(vkv_concat_and_cache_mla_rope_fused_params);
  p.positions = tensor(position, VKV_DTYPE_I64, 1, 1);
  p.q_pe = tensor(q_pe, VKV_DTYPE_F32, 3, 1, 1, 2);
  p.k_pe = tensor(k_pe, VKV_DTYPE_F32, 2, 1, 2);
  p.kv_c = tensor(kv_c, VKV_DTYPE_F32, 2, 1, 4);
  p.cos_sin_cache = tensor(cos_sin, VKV_DTYPE_F32, 2, 2, 2);
  p.slot_mapping = tensor(slot, VKV_DTYPE_I64, 1, 1);
  p.kv_cache = tensor(cache, VKV_DTYPE_F32, 3, 1, 2, 6);
  expect_ok(vkv_concat_and_cache_mla_rope_fused_supported(ctx, &p), "concat_and_cache_mla_rope_fused_supported");
  expect_ok(vkv_concat_and_cache_mla_rope_fused(ctx, &p, NULL), "concat_and_cache_mla_rope_fused");
  expect_floats(q_pe, want_q, 2, "concat_and_cache_mla_rope_fused q_pe");
  expect_floats(k_pe, want_k, 2, "concat_and_cache_mla_rope_fused k_pe");
  expect_floats(cache, want, 12, "concat_and_cache_mla_rope_fused cache");
}

static void convert_fp8(void) {
  float src[4] = {1, 1000, -2, 0};
  uint8_t dst[4];
  const uint8_t want[4] = {0x38, 0x7E, 0xC0, 0x00};
  vkv_convert_fp8_params p = VKV_INIT(vkv_convert_fp8_params);
  p.src = tensor(src, VKV_DTYPE_F32, 1, 4);
  p.dst = tensor(dst, VKV_DTYPE_FP8_E4M3, 1, 4);
  expect_ok(vkv_convert_fp8_supported(ctx, &p), "convert_fp8_supported");
  expect_ok(vkv_convert_fp8(ctx, &p, NULL), "convert_fp8");
  expect(memcmp(dst, want, sizeof want) == 0, "convert_fp8 bytes");
}

static void gathers(void) {
  float cache[8] = {0, 1, 2, 3, 4, 5, 6, 7}, dst[6];
  const float want[6] = {4, 5, 6, 7, 0, 1};
  int32_t table[2] = {1, 0}, starts[2] = {0, 3};
  vkv_gather_and_maybe_dequant_cache_params g = VKV_INIT(vkv_gather_and_maybe_dequant_cache_params);
  vkv_cp_gather_cache_params p = VKV_INIT(vkv_cp_gather_cache_params);
  p.src_cache = g.src_cache = tensor(cache, VKV_DTYPE_F32, 3, 2, 2, 2);
  p.dst = g.dst = tensor(dst, VKV_DTYPE_F32, 2, 3, 2);
  p.block_table = g.block_table = tensor(table, VKV_DTYPE_I32, 2, 1, 2);
  p.cu_seq_lens = g.cu_seq_lens = tensor(starts, VKV_DTYPE_I32, 1, 2);
  memset(dst, 0, sizeof dst);
  expect_ok(vkv_gather_and_maybe_dequant_cache_supported(ctx, &g), "gather_and_maybe_dequant_cache_supported");
  expect_ok(vkv_gather_and_maybe_dequant_cache(ctx, &g, NULL), "gather_and_maybe_dequant_cache");
  expect_floats(dst, want, 6, "gather_and_maybe_dequant_cache");
  memset(dst, 0, sizeof dst);
  expect_ok(vkv_cp_gather_cache_supported(ctx, &p), "cp_gather_cache_supported");
  expect_ok(vkv_cp_gather_cache(ctx, &p, NULL), "cp_gather_cache");
  expect_floats(dst, want, 6, "cp_gather_cache");
}

/* One entry of ones (0x38), each tile's scale 2, and rope bits of 1.0. */
static void cp_gather_and_upconvert_fp8_kv_cache(void) {
  uint32_t entry[164];
  uint16_t dst[576];
  int32_t table[1] = {0}, starts[1] = {0};
  const float scale = 2;
  int wrong = 0;
  vkv_cp_gather_and_upconvert_fp8_kv_cache_params p = VKV_INIT(vkv_cp_gather_and_upconvert_fp8_kv_cache_params);
  for (int i = 0; i < 128; ++i) entry[i] = 0x38383838u;
  for (int i = 0; i < 4; ++i) memcpy(&entry[128 + i], &scale, sizeof scale);
  for (int i = 132; i < 164; ++i) entry[i] = 0x3F803F80u;
  p.src_cache = tensor(entry, VKV_DTYPE_FP8_DS_MLA, 3, 1, 1, 656);
  p.dst = tensor(dst, VKV_DTYPE_BF16, 2, 1, 576);
  p.block_table = tensor(table, VKV_DTYPE_I32, 2, 1, 1);
  p.workspace_starts = tensor(starts, VKV_DTYPE_I32, 1, 1);
  expect_ok(vkv_cp_gather_and_upconvert_fp8_kv_cache_supported(ctx, &p), "cp_gather_and_upconvert_fp8_kv_cache_supported");
  expect_ok(vkv_cp_gather_and_upconvert_fp8_kv_cache(ctx, &p, NULL), "cp_gather_and_upconvert_fp8_kv_cache");
  for (int i = 0; i < 512; ++i) wrong += dst[i] != 0x4000;
  for (int i = 512; i < 576; ++i) wrong += dst[i] != 0x3F80;
  expect(wrong == 0, "cp_gather_and_upconvert_fp8_kv_cache bits");
}

/* The largest magnitude is e4m3's own: scale 1. Then both parts back through the gather. */
static void indexer(void) {
  float k[128], dst_scale[1] = {0};
  uint32_t cache[2 * 33] = {0}; /* one block of two tokens: 2 * 128 bytes, then 2 scales */
  uint8_t dst_k[128];
  int64_t slot[1] = {1};
  int32_t table[1] = {0}, starts[2] = {0, 2};
  uint8_t both_k[256];
  float both_scales[2];
  int wrong = 0;
  vkv_indexer_k_quant_and_cache_params p = VKV_INIT(vkv_indexer_k_quant_and_cache_params);
  vkv_cp_gather_indexer_k_quant_cache_params g = VKV_INIT(vkv_cp_gather_indexer_k_quant_cache_params);
  for (int i = 0; i < 128; ++i) k[i] = i == 0 ? 448 : 1;
  p.k = tensor(k, VKV_DTYPE_F32, 2, 1, 128);
  p.kv_cache = tensor(cache, VKV_DTYPE_U8, 3, 1, 2, 132);
  p.slot_mapping = tensor(slot, VKV_DTYPE_I64, 1, 1);
  expect_ok(vkv_indexer_k_quant_and_cache_supported(ctx, &p), "indexer_k_quant_and_cache_supported");
  expect_ok(vkv_indexer_k_quant_and_cache(ctx, &p, NULL), "indexer_k_quant_and_cache");
  memcpy(dst_k, (const char*)cache + 128, 128);
  memcpy(dst_scale, (const char*)cache + 256 + 4, 4);
  for (int i = 0; i < 128; ++i) wrong += dst_k[i] != (i == 0 ? 0x7E : 0x38);
  expect(wrong == 0 && dst_scale[0] == 1, "indexer_k_quant_and_cache bytes");

  g.kv_cache = p.kv_cache;
  g.dst_k = tensor(both_k, VKV_DTYPE_FP8_E4M3, 2, 2, 128);
  g.dst_scale = tensor(both_scales, VKV_DTYPE_F32, 2, 2, 1);
  g.block_table = tensor(table, VKV_DTYPE_I32, 2, 1, 1);
  g.cu_seq_lens = tensor(starts, VKV_DTYPE_I32, 1, 2);
  expect_ok(vkv_cp_gather_indexer_k_quant_cache_supported(ctx, &g), "cp_gather_indexer_k_quant_cache_supported");
  expect_ok(vkv_cp_gather_indexer_k_quant_cache(ctx, &g, NULL), "cp_gather_indexer_k_quant_cache");
  expect(memcmp(both_k, cache, 256) == 0 && both_scales[0] == 0 && both_scales[1] == 1, "cp_gather_indexer_k_quant_cache bytes");
}

static void concat_mla_q(void) {
  float nope[4] = {1, 2, 3, 4}, rope[2] = {5, 6}, out[6];
  const float want[6] = {1, 2, 5, 3, 4, 6};
  vkv_concat_mla_q_params p = VKV_INIT(vkv_concat_mla_q_params);
  p.ql_nope = tensor(nope, VKV_DTYPE_F32, 3, 1, 2, 2);
  p.q_pe = tensor(rope, VKV_DTYPE_F32, 3, 1, 2, 1);
  p.q_out = tensor(out, VKV_DTYPE_F32, 3, 1, 2, 3);
  expect_ok(vkv_concat_mla_q_supported(ctx, &p), "concat_mla_q_supported");
  expect_ok(vkv_concat_mla_q(ctx, &p, NULL), "concat_mla_q");
  expect_floats(out, want, 6, "concat_mla_q");
}

static void block_moves(void) {
  float src[4] = {1, 2, 3, 4}, dst[6] = {0}, batch[2] = {0}, cache[6] = {1, 2, 3, 4, 5, 6};
  const float want_dst[6] = {0, 0, 0, 0, 3, 4}, want_batch[2] = {2, 0}, want_cache[6] = {1, 2, 3, 4, 1, 2};
  int64_t pair[2] = {1, 2}, from[1], to[1], bytes[1] = {4}, caches[1], copy_pair[2] = {0, 2};
  vkv_swap_blocks_params s = VKV_INIT(vkv_swap_blocks_params);
  vkv_swap_blocks_batch_params b = VKV_INIT(vkv_swap_blocks_batch_params);
  vkv_copy_blocks_params c = VKV_INIT(vkv_copy_blocks_params);
  s.src = tensor(src, VKV_DTYPE_F32, 2, 2, 2);
  s.dst = tensor(dst, VKV_DTYPE_F32, 2, 3, 2);
  s.block_mapping = tensor(pair, VKV_DTYPE_I64, 2, 1, 2);
  expect_ok(vkv_swap_blocks_supported(ctx, &s), "swap_blocks_supported");
  expect_ok(vkv_swap_blocks(ctx, &s, NULL), "swap_blocks");
  expect_floats(dst, want_dst, 6, "swap_blocks");

  from[0] = (int64_t)(intptr_t)(src + 1);
  to[0] = (int64_t)(intptr_t)batch;
  b.flags = VKV_SWAP_SOURCE_ORDER_ANY;
  b.src_ptrs = tensor(from, VKV_DTYPE_I64, 1, 1);
  b.dst_ptrs = tensor(to, VKV_DTYPE_I64, 1, 1);
  b.sizes = tensor(bytes, VKV_DTYPE_I64, 1, 1);
  expect_ok(vkv_swap_blocks_batch_supported(ctx, &b), "swap_blocks_batch_supported");
  expect_ok(vkv_swap_blocks_batch(ctx, &b, NULL), "swap_blocks_batch");
  expect_floats(batch, want_batch, 2, "swap_blocks_batch");

  caches[0] = (int64_t)(intptr_t)cache;
  c.key_caches = tensor(caches, VKV_DTYPE_I64, 1, 1);
  c.block_mapping = tensor(copy_pair, VKV_DTYPE_I64, 2, 1, 2);
  c.num_blocks = 3;
  c.block_size_in_bytes = 2 * sizeof(float);
  expect_ok(vkv_copy_blocks_supported(ctx, &c), "copy_blocks_supported");
  expect_ok(vkv_copy_blocks(ctx, &c, NULL), "copy_blocks");
  expect_floats(cache, want_cache, 6, "copy_blocks");
}

static void library(void) {
  vkv_context_info info = VKV_INIT(vkv_context_info);
  expect(vkv_version() >= 1000000 && vkv_version() < 2000000, "vkv_version");
  expect(strstr(vkv_build_info(), "libvkv 1.") != NULL, "vkv_build_info");
  expect(strcmp(vkv_status_string(VKV_ERROR_NOT_SUPPORTED), "VKV_ERROR_NOT_SUPPORTED") == 0, "vkv_status_string");
  expect(strcmp(vkv_dtype_string(VKV_DTYPE_BF16), "bf16") == 0, "vkv_dtype_string");
  expect(strcmp(vkv_op_string(VKV_OP_COPY_BLOCKS), "copy_blocks") == 0, "vkv_op_string");
  expect_ok(vkv_context_get_info(ctx, &info), "vkv_context_get_info");
  expect(info.backend == VKV_BACKEND_CPU && info.num_threads == 2 && info.name[0] != '\0', "vkv_context_info");
}

int main(void) {
  vkv_context_params params = VKV_INIT(vkv_context_params);
  vkv_context* created = NULL;
  expect(vkv_last_error_message()[0] == '\0', "no message before the first failure");
  params.backend = VKV_BACKEND_CPU;
  params.num_threads = 2;
  expect_ok(vkv_context_create(&params, &created), "vkv_context_create");
  if (created == NULL) return 1;
  ctx = created;
  library();
  paged_attention();
  paged_attention_v1_v2();
  merge_attn_states();
  reshape_and_cache();
  reshape_and_cache_flash();
  concat_and_cache_mla();
  concat_and_cache_mla_rope_fused();
  convert_fp8();
  gathers();
  cp_gather_and_upconvert_fp8_kv_cache();
  indexer();
  concat_mla_q();
  block_moves();
  vkv_context_destroy(created);
  return failures == 0 ? 0 : 1;
}
