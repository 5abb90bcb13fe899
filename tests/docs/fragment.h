/* What the statements in the documentation's C blocks may use without declaring it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vkv.h>

extern vkv_context* ctx;
extern vkv_stream stream;
extern vkv_status status;
extern int64_t num_blocks, block_size, num_kv_heads, num_heads, head_dim, num_tokens, num_seqs, max_blocks;
extern uint16_t *key, *value, *query, *out, *kv_cache;
extern int64_t* slot_mapping;
extern int32_t *block_table, *seq_lens, *kv_indptr, *kv_indices, *kv_last_page_len;
extern float *k_scale, *v_scale;
extern void* workspace;
extern size_t workspace_size;
