/* One decode step in C: writes the keys and values of three sequences into a paged cache, attends to it with one query
 * token a sequence, and compares the result with a plain computation.
 *
 *     cc decode_step.c -lvkv -lm && ./a.out
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <vkv.h>

enum { SEQS = 3, TOKENS = 5 + 16 + 33, HEADS = 8, KV_HEADS = 2, DIM = 64, BLOCKS = 8, BLOCK_SIZE = 16, COLUMNS = 3 };

static const int32_t lengths[SEQS] = {5, 16, 33};
static const int32_t table[SEQS][COLUMNS] = {{7}, {6}, {5, 4, 3}}; /* columns past a sequence's end are never read */

static float key[TOKENS * KV_HEADS * DIM], value[TOKENS * KV_HEADS * DIM];
static float query[SEQS * HEADS * DIM], out[SEQS * HEADS * DIM];
static float key_cache[BLOCKS * BLOCK_SIZE * KV_HEADS * DIM], value_cache[BLOCKS * BLOCK_SIZE * KV_HEADS * DIM];
static int64_t slots[TOKENS];

static void check(vkv_status status) {
  if (status == VKV_OK) return;
  fprintf(stderr, "%s: %s\n", vkv_status_string(status), vkv_last_error_message());
  exit(1);
}

/* A row-major view; dimensions past ndim are ignored. */
static vkv_tensor view(const void* data, vkv_dtype dtype, int32_t ndim, int64_t a, int64_t b, int64_t c, int64_t d) {
  vkv_tensor t = {(void*)data, dtype, ndim, {a, b, c, d}, {0}};
  return t;
}

static void fill(float* x, size_t n, uint64_t first) {
  for (size_t i = 0; i < n; ++i) {
    x[i] = (float)((double)(((first + i) * 1103515245u + 12345u) % 2147483648u) / 2147483648.0 - 0.5);
  }
}

/* Attention of query head h of sequence s, whose tokens begin at row `first` of key and value. */
static void expected(double* result, int s, int h, int first) {
  const float* q = query + (s * HEADS + h) * DIM;
  const int kv_head = h / (HEADS / KV_HEADS);
  double sum = 0;
  for (int d = 0; d < DIM; ++d) result[d] = 0;
  for (int j = 0; j < lengths[s]; ++j) {
    const int row = ((first + j) * KV_HEADS + kv_head) * DIM;
    double dot = 0;
    for (int d = 0; d < DIM; ++d) dot += (double)q[d] * key[row + d];
    const double weight = exp(dot / sqrt(DIM)); /* the scores here are small: no maximum to take off */
    sum += weight;
    for (int d = 0; d < DIM; ++d) result[d] += weight * value[row + d];
  }
  for (int d = 0; d < DIM; ++d) result[d] /= sum;
}

int main(void) {
  fill(key, TOKENS * KV_HEADS * DIM, 0);
  fill(value, TOKENS * KV_HEADS * DIM, 1000000);
  fill(query, SEQS * HEADS * DIM, 2000000);
  int token = 0;
  for (int s = 0; s < SEQS; ++s) {
    for (int t = 0; t < lengths[s]; ++t) {
      slots[token++] = (int64_t)table[s][t / BLOCK_SIZE] * BLOCK_SIZE + t % BLOCK_SIZE;
    }
  }

  vkv_context_params cp = VKV_INIT(vkv_context_params);
  cp.backend = VKV_BACKEND_CPU;
  vkv_context* ctx;
  check(vkv_context_create(&cp, &ctx));

  vkv_reshape_and_cache_flash_params write = VKV_INIT(vkv_reshape_and_cache_flash_params);
  write.key = view(key, VKV_DTYPE_F32, 3, TOKENS, KV_HEADS, DIM, 0);
  write.value = view(value, VKV_DTYPE_F32, 3, TOKENS, KV_HEADS, DIM, 0);
  write.key_cache = view(key_cache, VKV_DTYPE_F32, 4, BLOCKS, BLOCK_SIZE, KV_HEADS, DIM);
  write.value_cache = view(value_cache, VKV_DTYPE_F32, 4, BLOCKS, BLOCK_SIZE, KV_HEADS, DIM);
  write.slot_mapping = view(slots, VKV_DTYPE_I64, 1, TOKENS, 0, 0, 0);
  check(vkv_reshape_and_cache_flash(ctx, &write, NULL));

  vkv_paged_attention_params attend = VKV_INIT(vkv_paged_attention_params);
  attend.query = view(query, VKV_DTYPE_F32, 3, SEQS, HEADS, DIM, 0);
  attend.out = view(out, VKV_DTYPE_F32, 3, SEQS, HEADS, DIM, 0);
  attend.key_cache = write.key_cache;
  attend.value_cache = write.value_cache;
  attend.block_table = view(table, VKV_DTYPE_I32, 2, SEQS, COLUMNS, 0, 0);
  attend.seq_lens = view(lengths, VKV_DTYPE_I32, 1, SEQS, 0, 0, 0);
  size_t bytes;
  check(vkv_paged_attention_workspace_size(ctx, &attend, &bytes));
  attend.workspace_size = (bytes + 255) / 256 * 256;
  attend.workspace = attend.workspace_size > 0 ? aligned_alloc(256, attend.workspace_size) : NULL;
  check(vkv_paged_attention(ctx, &attend, NULL));

  /* Slots, block ids and lengths are checked where they are used, and noted here. */
  vkv_device_report report = VKV_INIT(vkv_device_report);
  check(vkv_context_read_device_report(ctx, &report));
  if (report.count != 0) fprintf(stderr, "%s\n", report.message);

  double error = 0;
  int first = 0;
  for (int s = 0; s < SEQS; ++s) {
    for (int h = 0; h < HEADS; ++h) {
      double want[DIM];
      expected(want, s, h, first);
      for (int d = 0; d < DIM; ++d) {
        const double e = fabs(out[(s * HEADS + h) * DIM + d] - want[d]);
        if (e > error || isnan(e)) error = e;
      }
    }
    first += lengths[s];
  }
  printf("decode step: max error %.1e over %d sequences\n", error, SEQS);
  free(attend.workspace);
  vkv_context_destroy(ctx);
  return error <= 1e-5 && report.count == 0 ? 0 : 1;
}
