"""Structs, constants and functions of the C interface, as ctypes sees them.

Written by scripts/generate-python-structs from include/vkv.h; do not edit.
"""
import ctypes
import enum

VERSION_MAJOR = 1
VERSION_MINOR = 0
VERSION_PATCH = 0
MAX_DIMS = 6
SWAP_SOURCE_ORDER_ANY = 1


class Status(enum.IntEnum):
    """VKV_*"""
    OK = 0
    ERROR_INVALID_ARGUMENT = 100
    ERROR_WORKSPACE_TOO_SMALL = 101
    ERROR_NOT_SUPPORTED = 200
    ERROR_NO_DEVICE = 201
    ERROR_CUDA = 300
    ERROR_INTERNAL = 400
    ERROR_OUT_OF_MEMORY = 401


class Dtype(enum.IntEnum):
    """VKV_DTYPE_*"""
    F16 = 1
    BF16 = 2
    F32 = 10
    FP8_E4M3 = 20
    FP8_E5M2 = 21
    U8 = 30
    I32 = 31
    I64 = 32
    NVFP4 = 40
    FP8_DS_MLA = 50


class Backend(enum.IntEnum):
    """VKV_BACKEND_*"""
    AUTO = 0
    CUDA = 1
    CPU = 2


class Op(enum.IntEnum):
    """VKV_OP_*"""
    PAGED_ATTENTION = 1
    PAGED_ATTENTION_V1 = 2
    PAGED_ATTENTION_V2 = 3
    MERGE_ATTN_STATES = 4
    RESHAPE_AND_CACHE = 5
    RESHAPE_AND_CACHE_FLASH = 6
    CONCAT_AND_CACHE_MLA = 7
    CONCAT_AND_CACHE_MLA_ROPE_FUSED = 8
    CONVERT_FP8 = 9
    GATHER_AND_MAYBE_DEQUANT_CACHE = 10
    CP_GATHER_CACHE = 11
    CP_GATHER_AND_UPCONVERT_FP8_KV_CACHE = 12
    INDEXER_K_QUANT_AND_CACHE = 13
    CP_GATHER_INDEXER_K_QUANT_CACHE = 14
    CONCAT_MLA_Q = 15
    SWAP_BLOCKS = 16
    SWAP_BLOCKS_BATCH = 17
    COPY_BLOCKS = 18


class Report(enum.IntEnum):
    """VKV_REPORT_*"""
    SLOT = 1
    BLOCK_ID = 2
    TABLE_COLUMN = 3
    LENGTH = 4
    OFFSET = 5
    POSITION = 6


class CacheLayout(enum.IntEnum):
    """VKV_CACHE_LAYOUT_*"""
    STRIDED = 1
    X_PACKED = 2


class Nvfp4Scales(enum.IntEnum):
    """VKV_NVFP4_SCALES_*"""
    LINEAR = 1
    SWIZZLED = 2


class ScaleRule(enum.IntEnum):
    """VKV_SCALE_RULE_*"""
    POW2 = 1
    F32 = 2


class Rope(enum.IntEnum):
    """VKV_ROPE_*"""
    NEOX = 1
    GPTJ = 2


class vkv_tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("dtype", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("shape", ctypes.c_int64 * MAX_DIMS),
        ("stride", ctypes.c_int64 * MAX_DIMS),
    ]


class vkv_context_params(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("backend", ctypes.c_int32),
        ("device", ctypes.c_int32),
        ("num_threads", ctypes.c_int32),
        ("reserved0", ctypes.c_int32),
    ]


class vkv_context_info(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("backend", ctypes.c_int32),
        ("device", ctypes.c_int32),
        ("num_threads", ctypes.c_int32),
        ("num_sms", ctypes.c_int32),
        ("cc_major", ctypes.c_int32),
        ("cc_minor", ctypes.c_int32),
        ("name", ctypes.c_char * 64),
    ]


class vkv_device_report(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("count", ctypes.c_uint64),
        ("op", ctypes.c_int32),
        ("what", ctypes.c_int32),
        ("index", ctypes.c_int64),
        ("value", ctypes.c_int64),
        ("limit", ctypes.c_int64),
        ("message", ctypes.c_char * 128),
    ]


class vkv_paged_attention_params(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("query", vkv_tensor),
        ("out", vkv_tensor),
        ("lse", vkv_tensor),
        ("key_cache", vkv_tensor),
        ("value_cache", vkv_tensor),
        ("k_scale", vkv_tensor),
        ("v_scale", vkv_tensor),
        ("block_table", vkv_tensor),
        ("seq_lens", vkv_tensor),
        ("kv_indptr", vkv_tensor),
        ("kv_indices", vkv_tensor),
        ("kv_last_page_len", vkv_tensor),
        ("query_start_loc", vkv_tensor),
        ("alibi_slopes", vkv_tensor),
        ("sinks", vkv_tensor),
        ("softmax_scale", ctypes.c_float),
        ("logit_softcap", ctypes.c_float),
        ("sliding_window", ctypes.c_int32),
        ("cache_layout", ctypes.c_int32),
        ("nvfp4_v_scales", ctypes.c_int32),
        ("max_seq_len", ctypes.c_int32),
        ("max_query_len", ctypes.c_int32),
        ("tp_rank", ctypes.c_int32),
        ("blocksparse_local_blocks", ctypes.c_int32),
        ("blocksparse_vert_stride", ctypes.c_int32),
        ("blocksparse_block_size", ctypes.c_int32),
        ("blocksparse_head_sliding_step", ctypes.c_int32),
        ("workspace", ctypes.c_void_p),
        ("workspace_size", ctypes.c_uint64),
    ]


class vkv_paged_attention_v1_params(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("out", vkv_tensor),
        ("query", vkv_tensor),
        ("key_cache", vkv_tensor),
        ("value_cache", vkv_tensor),
        ("k_scale", vkv_tensor),
        ("v_scale", vkv_tensor),
        ("block_tables", vkv_tensor),
        ("seq_lens", vkv_tensor),
        ("alibi_slopes", vkv_tensor),
        ("softmax_scale", ctypes.c_float),
        ("num_kv_heads", ctypes.c_int32),
        ("block_size", ctypes.c_int32),
        ("max_seq_len", ctypes.c_int32),
        ("tp_rank", ctypes.c_int32),
        ("blocksparse_local_blocks", ctypes.c_int32),
        ("blocksparse_vert_stride", ctypes.c_int32),
        ("blocksparse_block_size", ctypes.c_int32),
        ("blocksparse_head_sliding_step", ctypes.c_int32),
        ("reserved0", ctypes.c_int32),
        ("workspace", ctypes.c_void_p),
        ("workspace_size", ctypes.c_uint64),
    ]


class vkv_paged_attention_v2_params(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("out", vkv_tensor),
        ("query", vkv_tensor),
        ("key_cache", vkv_tensor),
        ("value_cache", vkv_tensor),
        ("k_scale", vkv_tensor),
        ("v_scale", vkv_tensor),
        ("block_tables", vkv_tensor),
        ("seq_lens", vkv_tensor),
        ("alibi_slopes", vkv_tensor),
        ("exp_sums", vkv_tensor),
        ("max_logits", vkv_tensor),
        ("tmp_out", vkv_tensor),
        ("softmax_scale", ctypes.c_float),
        ("num_kv_heads", ctypes.c_int32),
        ("block_size", ctypes.c_int32),
        ("max_seq_len", ctypes.c_int32),
        ("tp_rank", ctypes.c_int32),
        ("blocksparse_local_blocks", ctypes.c_int32),
        ("blocksparse_vert_stride", ctypes.c_int32),
        ("blocksparse_block_size", ctypes.c_int32),
        ("blocksparse_head_sliding_step", ctypes.c_int32),
        ("reserved0", ctypes.c_int32),
        ("workspace", ctypes.c_void_p),
        ("workspace_size", ctypes.c_uint64),
    ]


class vkv_merge_attn_states_params(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("output", vkv_tensor),
        ("output_lse", vkv_tensor),
        ("prefix_output", vkv_tensor),
        ("prefix_lse", vkv_tensor),
        ("suffix_output", vkv_tensor),
        ("suffix_lse", vkv_tensor),
        ("output_scale", vkv_tensor),
        ("num_tokens_without_context", ctypes.c_int64),
    ]


class vkv_reshape_and_cache_params(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("key", vkv_tensor),
        ("value", vkv_tensor),
        ("key_cache", vkv_tensor),
        ("value_cache", vkv_tensor),
        ("slot_mapping", vkv_tensor),
        ("k_scale", vkv_tensor),
        ("v_scale", vkv_tensor),
    ]


class vkv_reshape_and_cache_flash_params(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("key", vkv_tensor),
        ("value", vkv_tensor),
        ("key_cache", vkv_tensor),
        ("value_cache", vkv_tensor),
        ("slot_mapping", vkv_tensor),
        ("k_scale", vkv_tensor),
        ("v_scale", vkv_tensor),
        ("nvfp4_v_scales", ctypes.c_int32),
        ("reserved0", ctypes.c_int32),
    ]


class vkv_concat_and_cache_mla_params(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("kv_c", vkv_tensor),
        ("k_pe", vkv_tensor),
        ("kv_cache", vkv_tensor),
        ("slot_mapping", vkv_tensor),
        ("scale", vkv_tensor),
        ("scale_rule", ctypes.c_int32),
        ("reserved0", ctypes.c_int32),
    ]


class vkv_concat_and_cache_mla_rope_fused_params(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("positions", vkv_tensor),
        ("q_pe", vkv_tensor),
        ("k_pe", vkv_tensor),
        ("kv_c", vkv_tensor),
        ("cos_sin_cache", vkv_tensor),
        ("slot_mapping", vkv_tensor),
        ("kv_cache", vkv_tensor),
        ("kv_cache_scale", vkv_tensor),
        ("rope_style", ctypes.c_int32),
        ("reserved0", ctypes.c_int32),
    ]


class vkv_convert_fp8_params(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("dst", vkv_tensor),
        ("src", vkv_tensor),
        ("scale", ctypes.c_double),
    ]


class vkv_gather_and_maybe_dequant_cache_params(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("src_cache", vkv_tensor),
        ("dst", vkv_tensor),
        ("block_table", vkv_tensor),
        ("cu_seq_lens", vkv_tensor),
        ("seq_starts", vkv_tensor),
        ("scale", vkv_tensor),
        ("num_tokens", ctypes.c_int64),
    ]


class vkv_cp_gather_cache_params(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("src_cache", vkv_tensor),
        ("dst", vkv_tensor),
        ("block_table", vkv_tensor),
        ("cu_seq_lens", vkv_tensor),
        ("seq_starts", vkv_tensor),
    ]


class vkv_cp_gather_and_upconvert_fp8_kv_cache_params(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("src_cache", vkv_tensor),
        ("dst", vkv_tensor),
        ("block_table", vkv_tensor),
        ("workspace_starts", vkv_tensor),
        ("seq_starts", vkv_tensor),
    ]


class vkv_indexer_k_quant_and_cache_params(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("k", vkv_tensor),
        ("kv_cache", vkv_tensor),
        ("slot_mapping", vkv_tensor),
        ("quant_block_size", ctypes.c_int32),
        ("scale_rule", ctypes.c_int32),
    ]


class vkv_cp_gather_indexer_k_quant_cache_params(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("kv_cache", vkv_tensor),
        ("dst_k", vkv_tensor),
        ("dst_scale", vkv_tensor),
        ("block_table", vkv_tensor),
        ("cu_seq_lens", vkv_tensor),
    ]


class vkv_concat_mla_q_params(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("ql_nope", vkv_tensor),
        ("q_pe", vkv_tensor),
        ("q_out", vkv_tensor),
    ]


class vkv_swap_blocks_params(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("src", vkv_tensor),
        ("dst", vkv_tensor),
        ("block_mapping", vkv_tensor),
        ("max_sms", ctypes.c_int32),
        ("reserved0", ctypes.c_int32),
    ]


class vkv_swap_blocks_batch_params(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("src_ptrs", vkv_tensor),
        ("dst_ptrs", vkv_tensor),
        ("sizes", vkv_tensor),
        ("max_sms", ctypes.c_int32),
        ("reserved0", ctypes.c_int32),
    ]


class vkv_copy_blocks_params(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("key_caches", vkv_tensor),
        ("value_caches", vkv_tensor),
        ("block_mapping", vkv_tensor),
        ("num_blocks", ctypes.c_int64),
        ("block_size_in_bytes", ctypes.c_int64),
        ("block_stride_in_bytes", ctypes.c_int64),
    ]


# name: (result, arguments)
FUNCTIONS = {
    "vkv_version": (ctypes.c_uint32, []),
    "vkv_build_info": (ctypes.c_char_p, []),
    "vkv_status_string": (ctypes.c_char_p, [ctypes.c_int32]),
    "vkv_last_error_message": (ctypes.c_char_p, []),
    "vkv_dtype_string": (ctypes.c_char_p, [ctypes.c_int32]),
    "vkv_context_create": (ctypes.c_int32, [ctypes.POINTER(vkv_context_params), ctypes.POINTER(ctypes.c_void_p)]),
    "vkv_context_destroy": (None, [ctypes.c_void_p]),
    "vkv_context_get_info": (ctypes.c_int32, [ctypes.c_void_p, ctypes.POINTER(vkv_context_info)]),
    "vkv_op_string": (ctypes.c_char_p, [ctypes.c_int32]),
    "vkv_context_read_device_report": (ctypes.c_int32, [ctypes.c_void_p, ctypes.POINTER(vkv_device_report)]),
    "vkv_paged_attention": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_paged_attention_params), ctypes.c_void_p],
    ),
    "vkv_paged_attention_workspace_size": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_paged_attention_params), ctypes.POINTER(ctypes.c_size_t)],
    ),
    "vkv_paged_attention_supported": (ctypes.c_int32, [ctypes.c_void_p, ctypes.POINTER(vkv_paged_attention_params)]),
    "vkv_paged_attention_v1": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_paged_attention_v1_params), ctypes.c_void_p],
    ),
    "vkv_paged_attention_v1_workspace_size": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_paged_attention_v1_params), ctypes.POINTER(ctypes.c_size_t)],
    ),
    "vkv_paged_attention_v1_supported": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_paged_attention_v1_params)],
    ),
    "vkv_paged_attention_v2": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_paged_attention_v2_params), ctypes.c_void_p],
    ),
    "vkv_paged_attention_v2_workspace_size": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_paged_attention_v2_params), ctypes.POINTER(ctypes.c_size_t)],
    ),
    "vkv_paged_attention_v2_supported": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_paged_attention_v2_params)],
    ),
    "vkv_merge_attn_states": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_merge_attn_states_params), ctypes.c_void_p],
    ),
    "vkv_merge_attn_states_supported": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_merge_attn_states_params)],
    ),
    "vkv_reshape_and_cache": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_reshape_and_cache_params), ctypes.c_void_p],
    ),
    "vkv_reshape_and_cache_supported": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_reshape_and_cache_params)],
    ),
    "vkv_reshape_and_cache_flash": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_reshape_and_cache_flash_params), ctypes.c_void_p],
    ),
    "vkv_reshape_and_cache_flash_supported": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_reshape_and_cache_flash_params)],
    ),
    "vkv_concat_and_cache_mla": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_concat_and_cache_mla_params), ctypes.c_void_p],
    ),
    "vkv_concat_and_cache_mla_supported": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_concat_and_cache_mla_params)],
    ),
    "vkv_concat_and_cache_mla_rope_fused": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_concat_and_cache_mla_rope_fused_params), ctypes.c_void_p],
    ),
    "vkv_concat_and_cache_mla_rope_fused_supported": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_concat_and_cache_mla_rope_fused_params)],
    ),
    "vkv_convert_fp8": (ctypes.c_int32, [ctypes.c_void_p, ctypes.POINTER(vkv_convert_fp8_params), ctypes.c_void_p]),
    "vkv_convert_fp8_supported": (ctypes.c_int32, [ctypes.c_void_p, ctypes.POINTER(vkv_convert_fp8_params)]),
    "vkv_gather_and_maybe_dequant_cache": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_gather_and_maybe_dequant_cache_params), ctypes.c_void_p],
    ),
    "vkv_gather_and_maybe_dequant_cache_supported": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_gather_and_maybe_dequant_cache_params)],
    ),
    "vkv_cp_gather_cache": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_cp_gather_cache_params), ctypes.c_void_p],
    ),
    "vkv_cp_gather_cache_supported": (ctypes.c_int32, [ctypes.c_void_p, ctypes.POINTER(vkv_cp_gather_cache_params)]),
    "vkv_cp_gather_and_upconvert_fp8_kv_cache": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_cp_gather_and_upconvert_fp8_kv_cache_params), ctypes.c_void_p],
    ),
    "vkv_cp_gather_and_upconvert_fp8_kv_cache_supported": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_cp_gather_and_upconvert_fp8_kv_cache_params)],
    ),
    "vkv_indexer_k_quant_and_cache": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_indexer_k_quant_and_cache_params), ctypes.c_void_p],
    ),
    "vkv_indexer_k_quant_and_cache_supported": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_indexer_k_quant_and_cache_params)],
    ),
    "vkv_cp_gather_indexer_k_quant_cache": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_cp_gather_indexer_k_quant_cache_params), ctypes.c_void_p],
    ),
    "vkv_cp_gather_indexer_k_quant_cache_supported": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_cp_gather_indexer_k_quant_cache_params)],
    ),
    "vkv_concat_mla_q": (ctypes.c_int32, [ctypes.c_void_p, ctypes.POINTER(vkv_concat_mla_q_params), ctypes.c_void_p]),
    "vkv_concat_mla_q_supported": (ctypes.c_int32, [ctypes.c_void_p, ctypes.POINTER(vkv_concat_mla_q_params)]),
    "vkv_swap_blocks": (ctypes.c_int32, [ctypes.c_void_p, ctypes.POINTER(vkv_swap_blocks_params), ctypes.c_void_p]),
    "vkv_swap_blocks_supported": (ctypes.c_int32, [ctypes.c_void_p, ctypes.POINTER(vkv_swap_blocks_params)]),
    "vkv_swap_blocks_batch": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_swap_blocks_batch_params), ctypes.c_void_p],
    ),
    "vkv_swap_blocks_batch_supported": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.POINTER(vkv_swap_blocks_batch_params)],
    ),
    "vkv_copy_blocks": (ctypes.c_int32, [ctypes.c_void_p, ctypes.POINTER(vkv_copy_blocks_params), ctypes.c_void_p]),
    "vkv_copy_blocks_supported": (ctypes.c_int32, [ctypes.c_void_p, ctypes.POINTER(vkv_copy_blocks_params)]),
}
