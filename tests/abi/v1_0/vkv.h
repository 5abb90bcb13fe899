/* SPDX-License-Identifier: Apache-2.0
 *
 * libvkv: paged attention and KV-cache operations behind a plain C interface.
 *
 * This header is the whole interface and its manual. It is C99, needs no CUDA header and no framework, and is
 * frozen: within one major version a program built against any release of it runs with every later library.
 *
 *
 * HOW A CALL LOOKS
 *
 *     vkv_context_params cp = VKV_INIT(vkv_context_params);
 *     vkv_context* ctx;
 *     if (vkv_context_create(&cp, &ctx) != VKV_OK) puts(vkv_last_error_message());
 *
 *     vkv_reshape_and_cache_flash_params p = VKV_INIT(vkv_reshape_and_cache_flash_params);
 *     p.key = ...;                                      // tensor views: pointer, dtype, shape, strides
 *     vkv_status st = vkv_reshape_and_cache_flash(ctx, &p, stream);
 *
 * Each operation has one params struct and two or three functions that take it:
 *     vkv_<op>                  checks everything the host can check, then enqueues the work on the stream
 *     vkv_<op>_supported        answers whether vkv_<op> would accept these shapes, dtypes and options here
 *     vkv_<op>_workspace_size   bytes of scratch memory that vkv_<op> needs (attention only)
 * The last two look at shapes, dtypes, strides and options alone: data pointers may be NULL in them.
 *
 *
 * RULES THAT HOLD FOR EVERY FUNCTION, unless its own text says otherwise
 *
 * Zero      Zero means "default" or "absent" in every field, for ever. A zeroed struct with struct_size set is valid
 *           input. Fields named reserved* must be 0.
 * Structs   Set struct_size to sizeof(the struct); VKV_INIT does. A library older than the caller's header accepts the
 *           struct as long as the fields that it does not know are zero, and refuses it with VKV_ERROR_NOT_SUPPORTED
 *           otherwise. Unknown bits in flags are refused the same way. Structs are copied on entry: the caller may
 *           reuse or free them as soon as the call returns.
 * Memory    Tensors are device memory of the context's device (CUDA) or host memory (CPU backend), except where
 *           "host memory" is written. The library never keeps a pointer past the work it enqueued. On the launch path
 *           it allocates nothing, does not synchronise, and reads no device memory from the host.
 * Streams   CUDA: work is enqueued on `stream` (NULL = the legacy default stream) and may be captured into a CUDA
 *           graph; everything in device memory is read when the graph runs, so contents may change between replays.
 *           CPU: `stream` is ignored and the work is done on return.
 * Threads   All functions are thread-safe. A context is immutable and may be used by any number of threads at once;
 *           only its creation and destruction must not overlap other use. A workspace serves one call in flight.
 * Errors    Every refusal is a status and a sentence (vkv_last_error_message); a refused call writes nothing. The
 *           library never aborts, exits, prints or throws.
 * Bounds    Slots, block ids, table columns, lengths and offsets that sit in device memory cannot be checked by the
 *           host. Kernels check them: an event outside the tensors writes nothing and reads nothing there, counts as
 *           absent, and is noted in the context's device report (vkv_context_read_device_report).
 * Sizes     A size of 0 (tokens, sequences, pairs, ...) succeeds and does nothing. All addressing is 64-bit.
 * Aliasing  An output must not overlap any input or other output unless the operation's text allows it.
 * Status    @retval lines name what is special to a function. Besides these every function may return
 *           VKV_ERROR_INVALID_ARGUMENT (null or misaligned pointer, rank, shape, dtype, stride or option that the text
 *           rules out), VKV_ERROR_NOT_SUPPORTED (right in itself, but not in this build, on this device or in this
 *           version), VKV_ERROR_CUDA (the launch failed) and VKV_ERROR_INTERNAL / VKV_ERROR_OUT_OF_MEMORY.
 *
 *
 * PAGED CACHES
 *
 * A cache holds num_blocks blocks of block_size tokens. A *slot* is a token's linear address:
 * block = slot / block_size, offset = slot % block_size. A *block table* row lists a sequence's blocks in order: token
 * position t of sequence s lives in block table[s][t / block_size] at offset t % block_size. A negative slot means
 * "skip this token" in every writer; a negative block id is an error event, not a marker.
 *
 * Numbers in a narrow cache are stored = x / scale and loaded = stored * scale: a scale is the dequantisation
 * multiplier in every operation. Scales are device memory, read when the work runs. Conversion to a narrow type is the
 * IEEE division in float32 followed by one rounding to nearest even that saturates to the type's largest finite
 * value (infinity included); NaN stays NaN. Conversion back multiplies in float32 and rounds once to the destination.
 */
#ifndef VKV_H
#define VKV_H

#include <stddef.h>
#include <stdint.h>

#ifndef VKV_API
#if defined(VKV_BUILDING) && defined(__GNUC__)
#define VKV_API __attribute__((visibility("default")))
#else
#define VKV_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------------- versions */

#define VKV_VERSION_MAJOR 1
#define VKV_VERSION_MINOR 0
#define VKV_VERSION_PATCH 0

/* Version of the library at run time: major * 1000000 + minor * 1000 + patch. */
VKV_API uint32_t vkv_version(void);

/* One line about the build: version, backends, GPU architectures, toolkit, compiler. Static storage. */
VKV_API const char* vkv_build_info(void);

/* ---------------------------------------------------------------------------------------------------------- status */

typedef int32_t vkv_status;

/* class = status / 100: 1 the caller's mistake, 2 valid but not available here (fall back on this class only), 3 CUDA,
 * 4 the library or the machine. */
enum {
  VKV_OK = 0,
  VKV_ERROR_INVALID_ARGUMENT = 100,
  VKV_ERROR_WORKSPACE_TOO_SMALL = 101,
  VKV_ERROR_NOT_SUPPORTED = 200,
  VKV_ERROR_NO_DEVICE = 201, /* the backend asked for has no usable device, or is not in this build */
  VKV_ERROR_CUDA = 300,
  VKV_ERROR_INTERNAL = 400,
  VKV_ERROR_OUT_OF_MEMORY = 401
};

/* Name of a status, such as "VKV_ERROR_INVALID_ARGUMENT"; "unknown status" for any other number. Static storage. */
VKV_API const char* vkv_status_string(vkv_status status);

/* Sentence about this thread's most recent failing call. Never NULL; empty before the first failure; valid until this
 * thread's next failing call. A success does not clear it, so do not use it to detect errors. */
VKV_API const char* vkv_last_error_message(void);

/* --------------------------------------------------------------------------------------------------------- tensors */

typedef int32_t vkv_dtype;

enum {
  VKV_DTYPE_F16 = 1,
  VKV_DTYPE_BF16 = 2,
  VKV_DTYPE_F32 = 10,
  VKV_DTYPE_FP8_E4M3 = 20, /* OCP E4M3: largest finite 448, no infinity */
  VKV_DTYPE_FP8_E5M2 = 21, /* OCP E5M2: largest finite 57344 */
  VKV_DTYPE_U8 = 30,
  VKV_DTYPE_I32 = 31,
  VKV_DTYPE_I64 = 32,
  VKV_DTYPE_NVFP4 = 40,     /* bytes of an NVFP4 cache; one element = one byte (see vkv_reshape_and_cache_flash) */
  VKV_DTYPE_FP8_DS_MLA = 50 /* bytes of 656-byte MLA entries; one element = one byte (see vkv_concat_and_cache_mla) */
};

/* Name of a dtype, such as "bf16"; "unknown dtype" for any other number. Static storage. */
VKV_API const char* vkv_dtype_string(vkv_dtype dtype);

#define VKV_MAX_DIMS 6

/* A view of memory that the caller owns. Passed by value, 112 bytes, never to change.
 * stride counts elements; all-zero strides = row-major compact. Strides must not be negative.
 * data == NULL && ndim == 0: the tensor is absent. shape[i] and stride[i] with i >= ndim are ignored. */
typedef struct vkv_tensor {
  void* data;
  vkv_dtype dtype;
  int32_t ndim;
  int64_t shape[VKV_MAX_DIMS];
  int64_t stride[VKV_MAX_DIMS];
} vkv_tensor;

/* Initialiser of any struct with a struct_size: that set, the rest zero. C99 and C++11. */
#ifdef __cplusplus
#define VKV_INIT(type) [] { type vkv_zeroed = {}; vkv_zeroed.struct_size = sizeof(type); return vkv_zeroed; }()
#else
#define VKV_INIT(type) { .struct_size = sizeof(type) }
#endif

/* The very type that CUDA calls cudaStream_t and CUstream. */
struct CUstream_st;
typedef struct CUstream_st* vkv_stream;

/* --------------------------------------------------------------------------------------------------------- context */

typedef struct vkv_context vkv_context;

/* vkv_context_params.backend */
enum {
  VKV_BACKEND_AUTO = 0, /* CUDA where a usable GPU is present, else CPU */
  VKV_BACKEND_CUDA = 1,
  VKV_BACKEND_CPU = 2
};

typedef struct vkv_context_params {
  uint32_t struct_size, flags; /* no flags yet */
  int32_t backend;             /* VKV_BACKEND_*; 0 = auto */
  int32_t device;              /* CUDA device ordinal; must be 0 for the CPU backend */
  int32_t num_threads;         /* CPU backend: threads that work on one call, the caller's included; 0 = one for each
                                  CPU that this process may use; at most 1024 */
  int32_t reserved0;
} vkv_context_params;

/* Creates a context. On success *ctx is owned by the caller; on failure it is NULL.
 * @retval VKV_ERROR_NO_DEVICE   CUDA was asked for and there is no driver, no such device, or no CUDA in this build. */
VKV_API vkv_status vkv_context_create(const vkv_context_params* params, vkv_context** ctx);

/* Destroys a context; NULL is a no-op. Work that it enqueued must be complete. */
VKV_API void vkv_context_destroy(vkv_context* ctx);

typedef struct vkv_context_info {
  uint32_t struct_size, flags; /* set struct_size before the call; at most that many bytes are written */
  int32_t backend;             /* VKV_BACKEND_CUDA or VKV_BACKEND_CPU */
  int32_t device;              /* CUDA device ordinal; 0 for CPU */
  int32_t num_threads;         /* CPU: threads that work on one call; 0 for CUDA */
  int32_t num_sms;             /* CUDA: multiprocessors; 0 for CPU */
  int32_t cc_major, cc_minor;  /* CUDA: compute capability; 0 for CPU */
  char name[64];               /* GPU name, or the vector units in use, such as "x86-64 avx512" */
} vkv_context_info;

/* Describes a context. */
VKV_API vkv_status vkv_context_get_info(const vkv_context* ctx, vkv_context_info* info);

/* vkv_device_report.op */
enum {
  VKV_OP_PAGED_ATTENTION = 1,
  VKV_OP_PAGED_ATTENTION_V1 = 2,
  VKV_OP_PAGED_ATTENTION_V2 = 3,
  VKV_OP_MERGE_ATTN_STATES = 4,
  VKV_OP_RESHAPE_AND_CACHE = 5,
  VKV_OP_RESHAPE_AND_CACHE_FLASH = 6,
  VKV_OP_CONCAT_AND_CACHE_MLA = 7,
  VKV_OP_CONCAT_AND_CACHE_MLA_ROPE_FUSED = 8,
  VKV_OP_CONVERT_FP8 = 9,
  VKV_OP_GATHER_AND_MAYBE_DEQUANT_CACHE = 10,
  VKV_OP_CP_GATHER_CACHE = 11,
  VKV_OP_CP_GATHER_AND_UPCONVERT_FP8_KV_CACHE = 12,
  VKV_OP_INDEXER_K_QUANT_AND_CACHE = 13,
  VKV_OP_CP_GATHER_INDEXER_K_QUANT_CACHE = 14,
  VKV_OP_CONCAT_MLA_Q = 15,
  VKV_OP_SWAP_BLOCKS = 16,
  VKV_OP_SWAP_BLOCKS_BATCH = 17,
  VKV_OP_COPY_BLOCKS = 18
};

/* Name of an operation, such as "paged_attention"; "unknown op" for any other number. Static storage. */
VKV_API const char* vkv_op_string(int32_t op);

/* vkv_device_report.what: which number in device memory was out of range. */
enum {
  VKV_REPORT_SLOT = 1,         /* slot_mapping: at or past num_blocks * block_size */
  VKV_REPORT_BLOCK_ID = 2,     /* a block id outside [0, num_blocks) */
  VKV_REPORT_TABLE_COLUMN = 3, /* a position past the block table's last column */
  VKV_REPORT_LENGTH = 4,       /* a sequence or query length below 0 or past its bound; clamped */
  VKV_REPORT_OFFSET = 5,       /* cu_seq_lens, query_start_loc, kv_indptr, ...: out of order or past the buffer */
  VKV_REPORT_POSITION = 6      /* positions: outside the cos/sin table; seq_starts: negative */
};

typedef struct vkv_device_report {
  uint32_t struct_size, flags; /* set struct_size before the call; at most that many bytes are written */
  uint64_t count;              /* events since the last read; 0 = none, and the other fields are then 0 */
  int32_t op;                  /* of the first event: VKV_OP_* */
  int32_t what;                /* of the first event: VKV_REPORT_* */
  int64_t index;               /* where: index into the array that held it (row-major for a block table) */
  int64_t value;               /* the number found */
  int64_t limit;               /* the smallest number that is too large there */
  char message[128];           /* the same as a sentence; empty when count is 0 */
} vkv_device_report;

/* Reads and clears the context's device report. Does not synchronise: what CUDA work that is still running will find
 * is not in it yet. Which of several simultaneous events is "the first" is unspecified. The context is logically const.
 * Counts stay exact up to 2^32 - 1 events between two reads. */
VKV_API vkv_status vkv_context_read_device_report(const vkv_context* ctx, vkv_device_report* report);

/* ------------------------------------------------------------------------------------------------- shared options
 * Each field of these types reads 0 as the default named here. */

/* cache_layout: how key_cache and value_cache are shaped. */
enum {
  VKV_CACHE_LAYOUT_STRIDED = 1, /* default. [num_blocks, block_size, num_kv_heads, head_dim] by strides: NHD, HND and
                                   K and V sliced from one tensor; head_dim is packed */
  VKV_CACHE_LAYOUT_X_PACKED = 2 /* vLLM's paged layout, x = 16 / element bytes:
                                   K [num_blocks, num_kv_heads, head_dim / x, block_size, x]
                                   V [num_blocks, num_kv_heads, head_dim, block_size]
                                   block and head strides free, the rest packed */
};

/* nvfp4_v_scales: order of the V block scales in an NVFP4 cache (K scales are always linear). */
enum {
  VKV_NVFP4_SCALES_LINEAR = 1,  /* default */
  VKV_NVFP4_SCALES_SWIZZLED = 2 /* the 4-token swizzle that vLLM writes for SM100 readers; needs head_dim % 64 == 0 and
                                   block_size % 4 == 0 */
};

/* scale_rule: how a stored block scale follows from the block's largest magnitude. */
enum {
  VKV_SCALE_RULE_POW2 = 1, /* default. the smallest power of two that is not below the exact scale */
  VKV_SCALE_RULE_F32 = 2   /* the exact scale in float32 */
};

/* rope_style */
enum {
  VKV_ROPE_NEOX = 1, /* default. pairs (i, i + rot_dim / 2) */
  VKV_ROPE_GPTJ = 2  /* pairs (2i, 2i + 1) */
};

/* ------------------------------------------------------------------------------------------------- paged_attention
 *
 * Attention of query tokens over a paged KV cache: decode, speculative decode and chunked prefill, MHA, GQA and MQA.
 *
 * Sequence s has L tokens in the cache (its query tokens included) and q_len query rows. Row r sits at position
 * p = L - q_len + r and attends to the positions j with max(0, p - W + 1) <= j <= p, W = sliding_window:
 *
 *     z_j = softmax_scale * dot(q, k_j)           k_j, v_j dequantised: stored * scale
 *     z_j = cap * tanh(z_j / cap)                 if logit_softcap = cap is not 0
 *     z_j = z_j + slope[h] * (j - p)              if alibi_slopes is given
 *     m   = max over j of z_j, and of sinks[h] if given
 *     out = sum_j exp(z_j - m) v_j / (sum_j exp(z_j - m) + exp(sinks[h] - m))
 *     lse = m + log(sum_j exp(z_j - m) + exp(sinks[h] - m))          natural logarithm
 *
 * The sink terms are there only if sinks is given. Scores, softmax and sums are float32; the result is rounded once.
 * A row that attends to nothing is 0, with lse = -infinity (lse = sinks[h] if given). Query head h reads KV head
 * h / (num_heads / num_kv_heads). Rows of out and lse that no sequence owns are left as they are.
 *
 * Block-sparse rule (vLLM's; active if blocksparse_vert_stride > 1): a row at position p attends to the cache block
 * with first token t only if kb > qb - blocksparse_local_blocks or (kb + off) % blocksparse_vert_stride == 0, where
 * bs = blocksparse_block_size, kb = t / bs, qb = p / bs and, with step = blocksparse_head_sliding_step,
 * off = (tp_rank * num_heads + h) * step + 1 if step >= 0, else (tp_rank * num_kv_heads + kv_head) * -step + 1.
 *
 * Promises: (1) batch-invariant: the bits of a row depend on its own query, KV and length, on head counts, dtypes,
 * cache layout, options and the device model, and not on the other sequences, its place among them, max_seq_len,
 * block size, which blocks hold it, the table form, the number of threads or the run; (2) one call, no plan: the host
 * computes nothing from lengths; (3) memory-safe: block ids, columns and lengths out of range count as absent tokens
 * and are reported; (4) bits outside a sequence's valid tokens, stale or NaN, never matter.
 */
typedef struct vkv_paged_attention_params {
  uint32_t struct_size, flags;  /* no flags yet */
  vkv_tensor query;             /* [num_tokens, num_heads, head_dim] f16|bf16|f32; head_dim packed; head_dim a multiple
                                   of 8 up to 256, or 512 */
  vkv_tensor out;               /* as query in shape and dtype; head_dim packed */
  vkv_tensor lse;               /* absent or [num_tokens, num_heads] f32 */
  vkv_tensor key_cache;         /* see cache_layout; dtype of query, e4m3, e5m2 or nvfp4; num_heads is a multiple of
                                   num_kv_heads. nvfp4 (strided only): see vkv_reshape_and_cache_flash */
  vkv_tensor value_cache;       /* dtype, block_size and num_kv_heads as key_cache; own strides */
  vkv_tensor k_scale;           /* absent (= 1), [1] or [num_kv_heads] f32 */
  vkv_tensor v_scale;           /* absent (= 1), [1] or [num_kv_heads] f32 */
  vkv_tensor block_table;       /* padded form: [num_seqs, max_blocks] i32; row stride free. Entries past a sequence's
                                   last block are never read */
  vkv_tensor seq_lens;          /* padded form: [num_seqs] i32: L */
  vkv_tensor kv_indptr;         /* CSR form, in place of block_table and seq_lens: [num_seqs + 1] i32 */
  vkv_tensor kv_indices;        /* CSR form: [num_indices] i32: blocks of s are kv_indices[kv_indptr[s] .. [s + 1]) */
  vkv_tensor kv_last_page_len;  /* CSR form: [num_seqs] i32: tokens in the last block of s, 1 .. block_size */
  vkv_tensor query_start_loc;   /* absent (one query token a sequence, num_tokens = num_seqs) or [num_seqs + 1] i32:
                                   s owns query rows [query_start_loc[s], query_start_loc[s + 1]) */
  vkv_tensor alibi_slopes;      /* absent or [num_heads] f32 */
  vkv_tensor sinks;             /* absent or [num_heads] f32 */
  float softmax_scale;          /* 0 = 1 / sqrt(head_dim) */
  float logit_softcap;          /* 0 = off; must not be negative */
  int32_t sliding_window;       /* W, the row's own token included; 0 = whole context */
  int32_t cache_layout;         /* VKV_CACHE_LAYOUT_*; 0 = strided */
  int32_t nvfp4_v_scales;       /* VKV_NVFP4_SCALES_*; 0 = linear; nvfp4 caches only */
  int32_t max_seq_len;          /* upper bound of L, for workspace and grid; a longer L is clamped to it and reported;
                                   0 = what the table can hold */
  int32_t max_query_len;        /* upper bound of q_len, likewise; 0 = 1 without query_start_loc, else num_tokens */
  int32_t tp_rank;              /* block-sparse rule */
  int32_t blocksparse_local_blocks;
  int32_t blocksparse_vert_stride;      /* 0 or 1 = rule off */
  int32_t blocksparse_block_size;       /* 0 = 64 */
  int32_t blocksparse_head_sliding_step;
  void* workspace;              /* 256-byte aligned; contents need not be initialised; NULL if the size needed is 0 */
  uint64_t workspace_size;      /* bytes at workspace */
} vkv_paged_attention_params;

/* Runs attention. Capturable; one CUDA graph stays right for every later content of tables, lengths and scales within
 * max_seq_len and max_query_len.
 * @retval VKV_ERROR_WORKSPACE_TOO_SMALL   the sentence says how many bytes are needed. */
VKV_API vkv_status vkv_paged_attention(const vkv_context* ctx, const vkv_paged_attention_params* params,
                                       vkv_stream stream);
/* Bytes of workspace for these shapes and bounds; never depends on device data. */
VKV_API vkv_status vkv_paged_attention_workspace_size(const vkv_context* ctx, const vkv_paged_attention_params* params,
                                                      size_t* bytes);
/* VKV_OK if vkv_paged_attention would take this request here; otherwise its status and sentence. */
VKV_API vkv_status vkv_paged_attention_supported(const vkv_context* ctx, const vkv_paged_attention_params* params);

/* ----------------------------------------------------------------------------------------- paged_attention_v1, _v2
 *
 * vLLM's two decode entry points, with vLLM's parameters and x-packed caches: the formula of vkv_paged_attention for
 * one query token a sequence. Both give the same bits. There is no limit on max_seq_len in v1 and no minimum in v2.
 */
typedef struct vkv_paged_attention_v1_params {
  uint32_t struct_size, flags; /* no flags yet */
  vkv_tensor out;              /* [num_seqs, num_heads, head_dim], dtype of query; head_dim packed */
  vkv_tensor query;            /* [num_seqs, num_heads, head_dim] f16|bf16|f32; head_dim packed */
  vkv_tensor key_cache;        /* [num_blocks, num_kv_heads, head_dim / x, block_size, x] dtype of query, e4m3, e5m2 */
  vkv_tensor value_cache;      /* [num_blocks, num_kv_heads, head_dim, block_size] dtype of key_cache; own strides */
  vkv_tensor k_scale;          /* absent (= 1) or [1] f32 */
  vkv_tensor v_scale;          /* absent (= 1) or [1] f32 */
  vkv_tensor block_tables;     /* [num_seqs, max_num_blocks_per_seq] i32; row stride free */
  vkv_tensor seq_lens;         /* [num_seqs] i32 */
  vkv_tensor alibi_slopes;     /* absent or [num_heads] f32 */
  float softmax_scale;         /* vLLM's `scale`; 0 = 1 / sqrt(head_dim) */
  int32_t num_kv_heads;        /* 0 = as key_cache says; else must agree with it */
  int32_t block_size;          /* 0 = as key_cache says; else must agree with it */
  int32_t max_seq_len;         /* as in vkv_paged_attention */
  int32_t tp_rank;             /* block-sparse rule as in vkv_paged_attention */
  int32_t blocksparse_local_blocks;
  int32_t blocksparse_vert_stride;
  int32_t blocksparse_block_size;
  int32_t blocksparse_head_sliding_step;
  int32_t reserved0;
  void* workspace;             /* as in vkv_paged_attention */
  uint64_t workspace_size;
} vkv_paged_attention_v1_params;

/* Runs attention. Capturable.
 * @retval VKV_ERROR_WORKSPACE_TOO_SMALL   the sentence says how many bytes are needed. */
VKV_API vkv_status vkv_paged_attention_v1(const vkv_context* ctx, const vkv_paged_attention_v1_params* params,
                                          vkv_stream stream);
VKV_API vkv_status vkv_paged_attention_v1_workspace_size(const vkv_context* ctx,
                                                         const vkv_paged_attention_v1_params* params, size_t* bytes);
VKV_API vkv_status vkv_paged_attention_v1_supported(const vkv_context* ctx,
                                                    const vkv_paged_attention_v1_params* params);

typedef struct vkv_paged_attention_v2_params {
  uint32_t struct_size, flags; /* no flags yet */
  vkv_tensor out;              /* the fields up to alibi_slopes: as in vkv_paged_attention_v1_params */
  vkv_tensor query;
  vkv_tensor key_cache;
  vkv_tensor value_cache;
  vkv_tensor k_scale;
  vkv_tensor v_scale;
  vkv_tensor block_tables;
  vkv_tensor seq_lens;
  vkv_tensor alibi_slopes;
  vkv_tensor exp_sums;         /* absent or [num_seqs, num_heads, max_num_partitions] f32. These three are scratch in */
  vkv_tensor max_logits;       /* vLLM; here they are not needed, may be absent, and what they hold afterwards is */
  vkv_tensor tmp_out;          /* unspecified. tmp_out: [num_seqs, num_heads, max_num_partitions, head_dim] as query */
  float softmax_scale;         /* the rest: as in vkv_paged_attention_v1_params */
  int32_t num_kv_heads;
  int32_t block_size;
  int32_t max_seq_len;
  int32_t tp_rank;
  int32_t blocksparse_local_blocks;
  int32_t blocksparse_vert_stride;
  int32_t blocksparse_block_size;
  int32_t blocksparse_head_sliding_step;
  int32_t reserved0;
  void* workspace;
  uint64_t workspace_size;
} vkv_paged_attention_v2_params;

/* Runs attention. Capturable.
 * @retval VKV_ERROR_WORKSPACE_TOO_SMALL   the sentence says how many bytes are needed. */
VKV_API vkv_status vkv_paged_attention_v2(const vkv_context* ctx, const vkv_paged_attention_v2_params* params,
                                          vkv_stream stream);
VKV_API vkv_status vkv_paged_attention_v2_workspace_size(const vkv_context* ctx,
                                                         const vkv_paged_attention_v2_params* params, size_t* bytes);
VKV_API vkv_status vkv_paged_attention_v2_supported(const vkv_context* ctx,
                                                    const vkv_paged_attention_v2_params* params);

/* ----------------------------------------------------------------------------------------------- merge_attn_states
 *
 * Combines the attention of the same queries over two disjoint sets of keys, by their natural-log sum-exps p and s:
 *
 *     m = max(p, s)   a = exp(p - m)   b = exp(s - m)
 *     output = (a * prefix_output + b * suffix_output) / (a + b)          output_lse = m + log(a + b)
 *
 * in float32, rounded once. An lse of -infinity or +infinity marks an empty side: it has weight 0 and its data is not
 * read. Both empty: output 0, output_lse -infinity. A NaN lse gives NaN. The last num_tokens_without_context tokens
 * take the suffix alone. With output e4m3 the float32 result is stored as x / output_scale, NaN staying NaN.
 * Aliasing: output may be prefix_output or suffix_output itself, output_lse may be prefix_lse or suffix_lse itself
 * (same data, dtype and strides).
 */
typedef struct vkv_merge_attn_states_params {
  uint32_t struct_size, flags; /* no flags yet */
  vkv_tensor output;           /* [num_tokens, num_heads, head_dim], dtype of prefix_output, or e4m3 with output_scale;
                                  head_dim packed here and below */
  vkv_tensor output_lse;       /* absent or [num_heads, num_tokens] f32; strides free here and below */
  vkv_tensor prefix_output;    /* [num_tokens, num_heads, head_dim] f16|bf16|f32 */
  vkv_tensor prefix_lse;       /* [num_heads, num_tokens] f32 */
  vkv_tensor suffix_output;    /* as prefix_output */
  vkv_tensor suffix_lse;       /* as prefix_lse */
  vkv_tensor output_scale;     /* [1] f32 if output is e4m3, else absent */
  int64_t num_tokens_without_context; /* vLLM: num_tokens - prefill_tokens_with_context; 0 .. num_tokens */
} vkv_merge_attn_states_params;

/* Runs the merge. Capturable. */
VKV_API vkv_status vkv_merge_attn_states(const vkv_context* ctx, const vkv_merge_attn_states_params* params,
                                         vkv_stream stream);
VKV_API vkv_status vkv_merge_attn_states_supported(const vkv_context* ctx, const vkv_merge_attn_states_params* params);

/* ----------------------------------------------------------------------------------------------- reshape_and_cache
 *
 * Writes new tokens' keys and values into an x-packed cache. For each token n with slot = slot_mapping[n] >= 0,
 * block b = slot / block_size, offset t = slot % block_size:
 *
 *     key_cache[b, h, d / x, t, d % x] = key[n, h, d]          value_cache[b, h, d, t] = value[n, h, d]
 *
 * Bits are copied where the cache has the dtype of key; e4m3 and e5m2 caches store x / scale. The number of tokens is
 * slot_mapping's; further rows of key and value are padding. Two tokens with one slot: one of them wins, unspecified.
 */
typedef struct vkv_reshape_and_cache_params {
  uint32_t struct_size, flags; /* no flags yet */
  vkv_tensor key;              /* [>= num_tokens, num_heads, head_dim] f16|bf16|f32; head_dim packed */
  vkv_tensor value;            /* as key */
  vkv_tensor key_cache;        /* [num_blocks, num_heads, head_dim / x, block_size, x]; dtype of key, e4m3 or e5m2;
                                  x = 16 / element bytes; block and head strides free, the rest packed */
  vkv_tensor value_cache;      /* [num_blocks, num_heads, head_dim, block_size]; dtype of key_cache; likewise */
  vkv_tensor slot_mapping;     /* [num_tokens] i64 */
  vkv_tensor k_scale;          /* absent (= 1), [1] or [num_heads] f32; not read where bits are copied */
  vkv_tensor v_scale;          /* as k_scale */
} vkv_reshape_and_cache_params;

/* Writes the cache. Capturable. */
VKV_API vkv_status vkv_reshape_and_cache(const vkv_context* ctx, const vkv_reshape_and_cache_params* params,
                                         vkv_stream stream);
VKV_API vkv_status vkv_reshape_and_cache_supported(const vkv_context* ctx, const vkv_reshape_and_cache_params* params);

/* ------------------------------------------------------------------------------------------ reshape_and_cache_flash
 *
 * The same into a strided cache: key_cache[b, t, h, :] = key[n, h, :], value_cache[b, t, h, :] = value[n, h, :].
 *
 * NVFP4 (dtype nvfp4, key f16|bf16, head_dim % 16 == 0): a block's bytes for one side and H heads are
 *     [ H * block_size * head_dim / 2 data bytes | H * block_size * head_dim / 16 scale bytes ]
 * in rows (token, head) that go token-major if the tensor's strides are (token, head) = (H * F, F), head-major if they
 * are (F, block_size * F), F = head_dim / 2 + head_dim / 16 bytes being the tensor's last dimension; the block stride
 * is free. Of each run of 16 elements, with A its largest magnitude (NaN passed over) and all steps in IEEE float32:
 *     sf  = e4m3(min((A * (1/6)) * (1/scale), 448))     inv = sf == 0 ? 0 : 1 / (sf * (1 / (1/scale)))
 *     element = e2m1(x * inv), round to nearest even, saturating at 6; NaN stores as +6
 * (the min of a NaN, from a scale that is no number, is 448) so that x is about element * sf * scale. Element 2i is the
 * low nibble of byte i. Scale g of a row is byte g of its head_dim / 16 scale bytes (linear); for V with
 * VKV_NVFP4_SCALES_SWIZZLED, with S = head_dim / 16 and q = S / 4, the scale of token t and group g of one head is at
 * token row 4 * (t / 4) + g / q, byte 4 * (g % q) + t % 4.
 */
typedef struct vkv_reshape_and_cache_flash_params {
  uint32_t struct_size, flags; /* no flags yet */
  vkv_tensor key;              /* [>= num_tokens, num_heads, head_dim] f16|bf16|f32; head_dim packed */
  vkv_tensor value;            /* as key */
  vkv_tensor key_cache;        /* [num_blocks, block_size, num_heads, head_dim]; dtype of key, e4m3, e5m2; head_dim
                                  packed, other strides free. nvfp4: [num_blocks, block_size, num_heads, F] */
  vkv_tensor value_cache;      /* shape and dtype of key_cache; own strides */
  vkv_tensor slot_mapping;     /* [num_tokens] i64 */
  vkv_tensor k_scale;          /* absent (= 1), [1] or [num_heads] f32 (nvfp4: [1]); not read where bits are copied */
  vkv_tensor v_scale;          /* as k_scale */
  int32_t nvfp4_v_scales;      /* VKV_NVFP4_SCALES_*; 0 = linear; nvfp4 caches only */
  int32_t reserved0;
} vkv_reshape_and_cache_flash_params;

/* Writes the cache. Capturable. */
VKV_API vkv_status vkv_reshape_and_cache_flash(const vkv_context* ctx, const vkv_reshape_and_cache_flash_params* params,
                                               vkv_stream stream);
VKV_API vkv_status vkv_reshape_and_cache_flash_supported(const vkv_context* ctx,
                                                         const vkv_reshape_and_cache_flash_params* params);

/* -------------------------------------------------------------------------------------------- concat_and_cache_mla
 *
 * Writes MLA entries: entry = [kv_c[n] | k_pe[n]] at the token's slot. Bits are copied where the cache has the dtype of
 * kv_c; e4m3 and e5m2 caches store both halves as x / scale.
 *
 * fp8_ds_mla (kv_lora_rank 512, rope_dim 64, f16|bf16 inputs): an entry is 656 bytes:
 *     [0, 512)    e4m3(x / scale_i)
 *     [512, 528)  four f32 scales, scale_i for dims [128 i, 128 i + 128), from their largest magnitude A (NaN passed
 *                 over): VKV_SCALE_RULE_POW2: 2 ^ ceil(log2(max(A / 448, 1e-4))), exact;
 *                 VKV_SCALE_RULE_F32: max(A / 448, FLT_MIN)
 *     [528, 656)  the 64 rope elements, bits copied
 */
typedef struct vkv_concat_and_cache_mla_params {
  uint32_t struct_size, flags; /* no flags yet */
  vkv_tensor kv_c;             /* [>= num_tokens, kv_lora_rank] f16|bf16|f32; last dimension packed here and below */
  vkv_tensor k_pe;             /* [>= num_tokens, rope_dim] dtype of kv_c */
  vkv_tensor kv_cache;         /* [num_blocks, block_size, kv_lora_rank + rope_dim], dtype of kv_c, e4m3 or e5m2; or
                                  [num_blocks, block_size, 656] fp8_ds_mla, 4-byte aligned in data and strides */
  vkv_tensor slot_mapping;     /* [num_tokens] i64 */
  vkv_tensor scale;            /* absent (= 1) or [1] f32; not read by fp8_ds_mla or where bits are copied */
  int32_t scale_rule;          /* VKV_SCALE_RULE_*; 0 = pow2; fp8_ds_mla only */
  int32_t reserved0;
} vkv_concat_and_cache_mla_params;

/* Writes the cache. Capturable. */
VKV_API vkv_status vkv_concat_and_cache_mla(const vkv_context* ctx, const vkv_concat_and_cache_mla_params* params,
                                            vkv_stream stream);
VKV_API vkv_status vkv_concat_and_cache_mla_supported(const vkv_context* ctx,
                                                      const vkv_concat_and_cache_mla_params* params);

/* ------------------------------------------------------------------------------------ concat_and_cache_mla_rope_fused
 *
 * For each token n with slot >= 0: rotates all heads of q_pe[n] and k_pe[n] in place by positions[n], then writes the
 * entry [kv_c[n] | rotated k_pe[n]] as vkv_concat_and_cache_mla does. A rotated pair (x, y) with cos c and sin s is
 *     x' = x * c - y * s      y' = y * c + x * s
 * where each product and each sum is rounded to the input dtype. Tokens with a negative slot, and rows past num_tokens,
 * are left as they are: neither rotated nor written. So are tokens whose position or slot is out of range (reported).
 */
typedef struct vkv_concat_and_cache_mla_rope_fused_params {
  uint32_t struct_size, flags; /* no flags yet */
  vkv_tensor positions;        /* [>= num_tokens] i64 */
  vkv_tensor q_pe;             /* [>= num_tokens, num_heads, rope_dim] f16|bf16|f32, in place; rope_dim even, packed */
  vkv_tensor k_pe;             /* [>= num_tokens, rope_dim] dtype of q_pe, in place */
  vkv_tensor kv_c;             /* [>= num_tokens, kv_lora_rank] dtype of q_pe */
  vkv_tensor cos_sin_cache;    /* [max_position, rope_dim] dtype of q_pe: rope_dim / 2 cosines, then as many sines */
  vkv_tensor slot_mapping;     /* [num_tokens] i64 */
  vkv_tensor kv_cache;         /* [num_blocks, block_size, kv_lora_rank + rope_dim], dtype of q_pe, e4m3 or e5m2 */
  vkv_tensor kv_cache_scale;   /* absent (= 1) or [1] f32; not read where bits are copied */
  int32_t rope_style;          /* VKV_ROPE_*; 0 = neox */
  int32_t reserved0;
} vkv_concat_and_cache_mla_rope_fused_params;

/* Rotates and writes the cache. Capturable. */
VKV_API vkv_status vkv_concat_and_cache_mla_rope_fused(const vkv_context* ctx,
                                                       const vkv_concat_and_cache_mla_rope_fused_params* params,
                                                       vkv_stream stream);
VKV_API vkv_status
vkv_concat_and_cache_mla_rope_fused_supported(const vkv_context* ctx,
                                              const vkv_concat_and_cache_mla_rope_fused_params* params);

/* ----------------------------------------------------------------------------------------------------- convert_fp8
 *
 * dst = narrow(src / scale) if dst is e4m3|e5m2 and src f16|bf16|f32; dst = src * scale the other way round.
 */
typedef struct vkv_convert_fp8_params {
  uint32_t struct_size, flags; /* no flags yet */
  vkv_tensor dst;              /* any shape, any strides; exactly one of dst and src is e4m3|e5m2 */
  vkv_tensor src;              /* shape of dst, own strides */
  double scale;                /* 0 = 1; must be positive and finite as a float32 */
} vkv_convert_fp8_params;

/* Converts. Capturable. */
VKV_API vkv_status vkv_convert_fp8(const vkv_context* ctx, const vkv_convert_fp8_params* params, vkv_stream stream);
VKV_API vkv_status vkv_convert_fp8_supported(const vkv_context* ctx, const vkv_convert_fp8_params* params);

/* ----------------------------------------------------------------------------------- gather_and_maybe_dequant_cache
 *
 * Gathers the cached entries of ragged sequences into a dense buffer. Row i of dst with cu_seq_lens[r] <= i <
 * cu_seq_lens[r + 1] is token position pos = i - cu_seq_lens[r] + seq_starts[r] of sequence r:
 *
 *     dst[i, :] = src_cache[block_table[r, pos / block_size], pos % block_size, :]       * scale if src_cache is fp8
 *
 * Rows that no sequence owns are left as they are; a row whose column or block id is out of range becomes 0 and is
 * reported.
 * (vLLM's token_to_seq is not needed: ownership follows from cu_seq_lens.)
 */
typedef struct vkv_gather_and_maybe_dequant_cache_params {
  uint32_t struct_size, flags; /* no flags yet */
  vkv_tensor src_cache;        /* [num_blocks, block_size, entry] dtype of dst, e4m3 or e5m2; entry packed */
  vkv_tensor dst;              /* [>= num_tokens, entry] f16|bf16|f32; entry packed */
  vkv_tensor block_table;      /* [batch, max_blocks] i32; row stride free */
  vkv_tensor cu_seq_lens;      /* [batch + 1] i32, not decreasing */
  vkv_tensor seq_starts;       /* absent (= 0) or [batch] i32: first token position of each sequence */
  vkv_tensor scale;            /* absent (= 1) or [1] f32; not read where bits are copied */
  int64_t num_tokens;          /* rows of dst to consider; 0 = all of them */
} vkv_gather_and_maybe_dequant_cache_params;

/* Gathers. Capturable. */
VKV_API vkv_status vkv_gather_and_maybe_dequant_cache(const vkv_context* ctx,
                                                      const vkv_gather_and_maybe_dequant_cache_params* params,
                                                      vkv_stream stream);
VKV_API vkv_status
vkv_gather_and_maybe_dequant_cache_supported(const vkv_context* ctx,
                                             const vkv_gather_and_maybe_dequant_cache_params* params);

/* ------------------------------------------------------------------------------------------------- cp_gather_cache
 *
 * The same gather as a plain copy of bytes, for every dtype and entry size. Row rules as above.
 */
typedef struct vkv_cp_gather_cache_params {
  uint32_t struct_size, flags; /* no flags yet */
  vkv_tensor src_cache;        /* [num_blocks, block_size, ...]; the dimensions after the second packed; any dtype but
                                  nvfp4, whose blocks hold no whole rows */
  vkv_tensor dst;              /* [rows, ...] dtype of src_cache and as many elements a row; packed after the first */
  vkv_tensor block_table;      /* [batch, max_blocks] i32; row stride free */
  vkv_tensor cu_seq_lens;      /* [batch + 1] i32, not decreasing */
  vkv_tensor seq_starts;       /* absent (= 0) or [batch] i32: first token position of each sequence */
} vkv_cp_gather_cache_params;

/* Gathers. Capturable. */
VKV_API vkv_status vkv_cp_gather_cache(const vkv_context* ctx, const vkv_cp_gather_cache_params* params,
                                       vkv_stream stream);
VKV_API vkv_status vkv_cp_gather_cache_supported(const vkv_context* ctx, const vkv_cp_gather_cache_params* params);

/* ---------------------------------------------------------------------------- cp_gather_and_upconvert_fp8_kv_cache
 *
 * Gathers fp8_ds_mla entries and widens them: dst[i, 0:512] = e4m3 * its tile's scale, rounded once; dst[i, 512:576] =
 * the rope bits. Row i belongs to the last sequence r with workspace_starts[r] <= i; the last sequence runs to the end
 * of dst. Rows before workspace_starts[0] are left as they are. pos = i - workspace_starts[r] + seq_starts[r]; out of
 * range as above.
 */
typedef struct vkv_cp_gather_and_upconvert_fp8_kv_cache_params {
  uint32_t struct_size, flags; /* no flags yet */
  vkv_tensor src_cache;        /* [num_blocks, block_size, 656] fp8_ds_mla; 4-byte aligned in data and strides */
  vkv_tensor dst;              /* [rows, 576] f16|bf16: the dtype that the entries were written from; packed rows */
  vkv_tensor block_table;      /* [batch, max_blocks] i32; row stride free */
  vkv_tensor workspace_starts; /* [batch] i32, not decreasing */
  vkv_tensor seq_starts;       /* absent (= 0) or [batch] i32 */
} vkv_cp_gather_and_upconvert_fp8_kv_cache_params;

/* Gathers. Capturable. */
VKV_API vkv_status
vkv_cp_gather_and_upconvert_fp8_kv_cache(const vkv_context* ctx,
                                         const vkv_cp_gather_and_upconvert_fp8_kv_cache_params* params,
                                         vkv_stream stream);
VKV_API vkv_status
vkv_cp_gather_and_upconvert_fp8_kv_cache_supported(const vkv_context* ctx,
                                                   const vkv_cp_gather_and_upconvert_fp8_kv_cache_params* params);

/* --------------------------------------------------------------------------------------- indexer_k_quant_and_cache
 *
 * Quantises the sparse-attention indexer's keys by blocks of quant_block_size dims. With A a block's largest magnitude
 * (NaN passed over): scale = max(A, 1e-4) / 448, raised to the next power of two by VKV_SCALE_RULE_POW2 (vLLM's
 * "ue8m0"), stored as f32; q = e4m3(x / scale). A cache block's bytes are segregated, both parts token-major:
 *     [ block_size * head_dim e4m3 bytes | block_size * head_dim / quant_block_size f32 scales ]
 */
typedef struct vkv_indexer_k_quant_and_cache_params {
  uint32_t struct_size, flags; /* no flags yet */
  vkv_tensor k;                /* [>= num_tokens, head_dim] f16|bf16|f32; head_dim packed */
  vkv_tensor kv_cache;         /* [num_blocks, block_size, head_dim + 4 * head_dim / quant_block_size] u8; packed inside
                                  a block, block stride free; 4-byte aligned in data, block stride and scales' offset */
  vkv_tensor slot_mapping;     /* [num_tokens] i64 */
  int32_t quant_block_size;    /* divides head_dim; 0 = 128 */
  int32_t scale_rule;          /* VKV_SCALE_RULE_*; 0 = pow2 */
} vkv_indexer_k_quant_and_cache_params;

/* Writes the cache. Capturable. */
VKV_API vkv_status vkv_indexer_k_quant_and_cache(const vkv_context* ctx,
                                                 const vkv_indexer_k_quant_and_cache_params* params, vkv_stream stream);
VKV_API vkv_status vkv_indexer_k_quant_and_cache_supported(const vkv_context* ctx,
                                                           const vkv_indexer_k_quant_and_cache_params* params);

/* ---------------------------------------------------------------------------------- cp_gather_indexer_k_quant_cache
 *
 * Gathers what the above wrote, without conversion. Row rules as in vkv_gather_and_maybe_dequant_cache.
 */
typedef struct vkv_cp_gather_indexer_k_quant_cache_params {
  uint32_t struct_size, flags; /* no flags yet */
  vkv_tensor kv_cache;         /* as in vkv_indexer_k_quant_and_cache */
  vkv_tensor dst_k;            /* [rows, head_dim] e4m3; head_dim packed */
  vkv_tensor dst_scale;        /* [rows, head_dim / quant_block_size] f32; last dimension packed */
  vkv_tensor block_table;      /* [batch, max_blocks] i32; row stride free */
  vkv_tensor cu_seq_lens;      /* [batch + 1] i32, not decreasing */
} vkv_cp_gather_indexer_k_quant_cache_params;

/* Gathers. Capturable. */
VKV_API vkv_status vkv_cp_gather_indexer_k_quant_cache(const vkv_context* ctx,
                                                       const vkv_cp_gather_indexer_k_quant_cache_params* params,
                                                       vkv_stream stream);
VKV_API vkv_status
vkv_cp_gather_indexer_k_quant_cache_supported(const vkv_context* ctx,
                                              const vkv_cp_gather_indexer_k_quant_cache_params* params);

/* ---------------------------------------------------------------------------------------------------- concat_mla_q
 *
 * q_out[n, h, :] = [ql_nope[n, h, :] | q_pe[n, h, :]], bits copied.
 */
typedef struct vkv_concat_mla_q_params {
  uint32_t struct_size, flags; /* no flags yet */
  vkv_tensor ql_nope;          /* [num_tokens, num_heads, nope_dim] f16|bf16|f32; last dimension packed, also below */
  vkv_tensor q_pe;             /* [num_tokens, num_heads, rope_dim] dtype of ql_nope */
  vkv_tensor q_out;            /* [num_tokens, num_heads, nope_dim + rope_dim] dtype of ql_nope */
} vkv_concat_mla_q_params;

/* Concatenates. Capturable. */
VKV_API vkv_status vkv_concat_mla_q(const vkv_context* ctx, const vkv_concat_mla_q_params* params, vkv_stream stream);
VKV_API vkv_status vkv_concat_mla_q_supported(const vkv_context* ctx, const vkv_concat_mla_q_params* params);

/* ----------------------------------------------------------------------------------------------------- swap_blocks
 *
 * Copies blocks between two pools: for each row (i, j) of block_mapping, block j of dst = block i of src. On CUDA
 * either pool may be device or host memory (pinned to be asynchronous), at least one of them device memory. On the CPU
 * backend both are host memory. Block ids are checked on the host before anything is enqueued; the sentence names the
 * first bad row. Within one call a block that is both a source and a destination, or twice a destination, has
 * unspecified content. Host memory must stay valid until the stream has passed the copies; block_mapping is consumed
 * before return.
 */
typedef struct vkv_swap_blocks_params {
  uint32_t struct_size, flags; /* no flags yet */
  vkv_tensor src;              /* [num_src_blocks, ...] any dtype; packed after the first dimension */
  vkv_tensor dst;              /* [num_dst_blocks, ...] as many bytes a block as src; packed likewise */
  vkv_tensor block_mapping;    /* [num_pairs, 2] i64, host memory, strides free: (block of src, block of dst) */
  int32_t max_sms;             /* CUDA: most multiprocessors that a copy kernel may occupy; 0 = the library's choice */
  int32_t reserved0;
} vkv_swap_blocks_params;

/* Copies. Capturable, with block_mapping's values fixed at capture. */
VKV_API vkv_status vkv_swap_blocks(const vkv_context* ctx, const vkv_swap_blocks_params* params, vkv_stream stream);
VKV_API vkv_status vkv_swap_blocks_supported(const vkv_context* ctx, const vkv_swap_blocks_params* params);

/* ----------------------------------------------------------------------------------------------- swap_blocks_batch
 *
 * n independent copies: sizes[i] bytes from address src_ptrs[i] to address dst_ptrs[i]. Addresses and sizes are the
 * caller's word: they cannot be checked beyond null, sign and overflow. Copies must not overlap each other or their
 * sources.
 */
#define VKV_SWAP_SOURCE_ORDER_ANY 1u /* sources may be read before earlier work on the stream is done */

typedef struct vkv_swap_blocks_batch_params {
  uint32_t struct_size, flags; /* VKV_SWAP_SOURCE_ORDER_ANY */
  vkv_tensor src_ptrs;         /* [n] i64, host memory */
  vkv_tensor dst_ptrs;         /* [n] i64, host memory */
  vkv_tensor sizes;            /* [n] i64, host memory; 0 copies nothing */
  int32_t max_sms;             /* as in vkv_swap_blocks */
  int32_t reserved0;
} vkv_swap_blocks_batch_params;

/* Copies. Capturable, with the three arrays' values fixed at capture. A driver's failure names the entry. */
VKV_API vkv_status vkv_swap_blocks_batch(const vkv_context* ctx, const vkv_swap_blocks_batch_params* params,
                                         vkv_stream stream);
VKV_API vkv_status vkv_swap_blocks_batch_supported(const vkv_context* ctx, const vkv_swap_blocks_batch_params* params);

/* ----------------------------------------------------------------------------------------------------- copy_blocks
 *
 * Copies blocks inside each of many caches (all layers at once): for every cache and every row (i, j) of block_mapping,
 * block j = block i. Also what vLLM calls copy_blocks_mla: leave value_caches absent. A block that is a source of one
 * pair and the destination of another, or the destination of two, has unspecified content; one source may have many
 * destinations.
 */
typedef struct vkv_copy_blocks_params {
  uint32_t struct_size, flags; /* no flags yet */
  vkv_tensor key_caches;       /* [num_layers] i64, host memory: address of each layer's cache */
  vkv_tensor value_caches;     /* absent or [num_layers] i64, host memory: likewise */
  vkv_tensor block_mapping;    /* [num_pairs, 2] i64, device memory, strides free; ids out of range are skipped and
                                  reported */
  int64_t num_blocks;          /* of every cache */
  int64_t block_size_in_bytes; /* bytes copied for a block */
  int64_t block_stride_in_bytes; /* from one block to the next; 0 = block_size_in_bytes */
} vkv_copy_blocks_params;

/* Copies. Capturable, with the cache addresses fixed at capture and block_mapping read when the graph runs. */
VKV_API vkv_status vkv_copy_blocks(const vkv_context* ctx, const vkv_copy_blocks_params* params, vkv_stream stream);
VKV_API vkv_status vkv_copy_blocks_supported(const vkv_context* ctx, const vkv_copy_blocks_params* params);

#ifdef __cplusplus
}
#endif

#endif /* VKV_H */
