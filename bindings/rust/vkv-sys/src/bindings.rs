/* Written by bindings/rust/generate-bindings from include/vkv.h. */

use std::os::raw::{c_char, c_void};

pub const VKV_VERSION_MAJOR: i32 = 1;
pub const VKV_VERSION_MINOR: i32 = 0;
pub const VKV_VERSION_PATCH: i32 = 0;
pub const VKV_OK: i32 = 0;
pub const VKV_ERROR_INVALID_ARGUMENT: i32 = 100;
pub const VKV_ERROR_WORKSPACE_TOO_SMALL: i32 = 101;
pub const VKV_ERROR_NOT_SUPPORTED: i32 = 200;
pub const VKV_ERROR_NO_DEVICE: i32 = 201;
pub const VKV_ERROR_CUDA: i32 = 300;
pub const VKV_ERROR_INTERNAL: i32 = 400;
pub const VKV_ERROR_OUT_OF_MEMORY: i32 = 401;
pub const VKV_DTYPE_F16: i32 = 1;
pub const VKV_DTYPE_BF16: i32 = 2;
pub const VKV_DTYPE_F32: i32 = 10;
pub const VKV_DTYPE_FP8_E4M3: i32 = 20;
pub const VKV_DTYPE_FP8_E5M2: i32 = 21;
pub const VKV_DTYPE_U8: i32 = 30;
pub const VKV_DTYPE_I32: i32 = 31;
pub const VKV_DTYPE_I64: i32 = 32;
pub const VKV_DTYPE_NVFP4: i32 = 40;
pub const VKV_DTYPE_FP8_DS_MLA: i32 = 50;
pub const VKV_MAX_DIMS: i32 = 6;
pub const VKV_BACKEND_AUTO: i32 = 0;
pub const VKV_BACKEND_CUDA: i32 = 1;
pub const VKV_BACKEND_CPU: i32 = 2;
pub const VKV_OP_PAGED_ATTENTION: i32 = 1;
pub const VKV_OP_PAGED_ATTENTION_V1: i32 = 2;
pub const VKV_OP_PAGED_ATTENTION_V2: i32 = 3;
pub const VKV_OP_MERGE_ATTN_STATES: i32 = 4;
pub const VKV_OP_RESHAPE_AND_CACHE: i32 = 5;
pub const VKV_OP_RESHAPE_AND_CACHE_FLASH: i32 = 6;
pub const VKV_OP_CONCAT_AND_CACHE_MLA: i32 = 7;
pub const VKV_OP_CONCAT_AND_CACHE_MLA_ROPE_FUSED: i32 = 8;
pub const VKV_OP_CONVERT_FP8: i32 = 9;
pub const VKV_OP_GATHER_AND_MAYBE_DEQUANT_CACHE: i32 = 10;
pub const VKV_OP_CP_GATHER_CACHE: i32 = 11;
pub const VKV_OP_CP_GATHER_AND_UPCONVERT_FP8_KV_CACHE: i32 = 12;
pub const VKV_OP_INDEXER_K_QUANT_AND_CACHE: i32 = 13;
pub const VKV_OP_CP_GATHER_INDEXER_K_QUANT_CACHE: i32 = 14;
pub const VKV_OP_CONCAT_MLA_Q: i32 = 15;
pub const VKV_OP_SWAP_BLOCKS: i32 = 16;
pub const VKV_OP_SWAP_BLOCKS_BATCH: i32 = 17;
pub const VKV_OP_COPY_BLOCKS: i32 = 18;
pub const VKV_REPORT_SLOT: i32 = 1;
pub const VKV_REPORT_BLOCK_ID: i32 = 2;
pub const VKV_REPORT_TABLE_COLUMN: i32 = 3;
pub const VKV_REPORT_LENGTH: i32 = 4;
pub const VKV_REPORT_OFFSET: i32 = 5;
pub const VKV_REPORT_POSITION: i32 = 6;
pub const VKV_CACHE_LAYOUT_STRIDED: i32 = 1;
pub const VKV_CACHE_LAYOUT_X_PACKED: i32 = 2;
pub const VKV_NVFP4_SCALES_LINEAR: i32 = 1;
pub const VKV_NVFP4_SCALES_SWIZZLED: i32 = 2;
pub const VKV_SCALE_RULE_POW2: i32 = 1;
pub const VKV_SCALE_RULE_F32: i32 = 2;
pub const VKV_ROPE_NEOX: i32 = 1;
pub const VKV_ROPE_GPTJ: i32 = 2;
pub const VKV_SWAP_SOURCE_ORDER_ANY: u32 = 1;

pub type vkv_status = i32;
pub type vkv_dtype = i32;
pub type vkv_stream = *mut CUstream_st;

#[repr(C)]
pub struct CUstream_st {
    _unused: [u8; 0],
}

#[repr(C)]
pub struct vkv_context {
    _unused: [u8; 0],
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_tensor {
    pub data: *mut c_void,
    pub dtype: vkv_dtype,
    pub ndim: i32,
    pub shape: [i64; 6],
    pub stride: [i64; 6],
}
assert_size!(vkv_tensor, 112);
assert_field!(vkv_tensor, data: *mut c_void, 0);
assert_field!(vkv_tensor, dtype: vkv_dtype, 8);
assert_field!(vkv_tensor, ndim: i32, 12);
assert_field!(vkv_tensor, shape: [i64; 6], 16);
assert_field!(vkv_tensor, stride: [i64; 6], 64);
zeroed!(vkv_tensor);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_context_params {
    pub struct_size: u32,
    pub flags: u32,
    pub backend: i32,
    pub device: i32,
    pub num_threads: i32,
    pub reserved0: i32,
}
assert_size!(vkv_context_params, 24);
assert_field!(vkv_context_params, struct_size: u32, 0);
assert_field!(vkv_context_params, flags: u32, 4);
assert_field!(vkv_context_params, backend: i32, 8);
assert_field!(vkv_context_params, device: i32, 12);
assert_field!(vkv_context_params, num_threads: i32, 16);
assert_field!(vkv_context_params, reserved0: i32, 20);
init!(vkv_context_params);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_context_info {
    pub struct_size: u32,
    pub flags: u32,
    pub backend: i32,
    pub device: i32,
    pub num_threads: i32,
    pub num_sms: i32,
    pub cc_major: i32,
    pub cc_minor: i32,
    pub name: [c_char; 64],
}
assert_size!(vkv_context_info, 96);
assert_field!(vkv_context_info, struct_size: u32, 0);
assert_field!(vkv_context_info, flags: u32, 4);
assert_field!(vkv_context_info, backend: i32, 8);
assert_field!(vkv_context_info, device: i32, 12);
assert_field!(vkv_context_info, num_threads: i32, 16);
assert_field!(vkv_context_info, num_sms: i32, 20);
assert_field!(vkv_context_info, cc_major: i32, 24);
assert_field!(vkv_context_info, cc_minor: i32, 28);
assert_field!(vkv_context_info, name: [c_char; 64], 32);
init!(vkv_context_info);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_device_report {
    pub struct_size: u32,
    pub flags: u32,
    pub count: u64,
    pub op: i32,
    pub what: i32,
    pub index: i64,
    pub value: i64,
    pub limit: i64,
    pub message: [c_char; 128],
}
assert_size!(vkv_device_report, 176);
assert_field!(vkv_device_report, struct_size: u32, 0);
assert_field!(vkv_device_report, flags: u32, 4);
assert_field!(vkv_device_report, count: u64, 8);
assert_field!(vkv_device_report, op: i32, 16);
assert_field!(vkv_device_report, what: i32, 20);
assert_field!(vkv_device_report, index: i64, 24);
assert_field!(vkv_device_report, value: i64, 32);
assert_field!(vkv_device_report, limit: i64, 40);
assert_field!(vkv_device_report, message: [c_char; 128], 48);
init!(vkv_device_report);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_paged_attention_params {
    pub struct_size: u32,
    pub flags: u32,
    pub query: vkv_tensor,
    pub out: vkv_tensor,
    pub lse: vkv_tensor,
    pub key_cache: vkv_tensor,
    pub value_cache: vkv_tensor,
    pub k_scale: vkv_tensor,
    pub v_scale: vkv_tensor,
    pub block_table: vkv_tensor,
    pub seq_lens: vkv_tensor,
    pub kv_indptr: vkv_tensor,
    pub kv_indices: vkv_tensor,
    pub kv_last_page_len: vkv_tensor,
    pub query_start_loc: vkv_tensor,
    pub alibi_slopes: vkv_tensor,
    pub sinks: vkv_tensor,
    pub softmax_scale: f32,
    pub logit_softcap: f32,
    pub sliding_window: i32,
    pub cache_layout: i32,
    pub nvfp4_v_scales: i32,
    pub max_seq_len: i32,
    pub max_query_len: i32,
    pub tp_rank: i32,
    pub blocksparse_local_blocks: i32,
    pub blocksparse_vert_stride: i32,
    pub blocksparse_block_size: i32,
    pub blocksparse_head_sliding_step: i32,
    pub workspace: *mut c_void,
    pub workspace_size: u64,
}
assert_size!(vkv_paged_attention_params, 1752);
assert_field!(vkv_paged_attention_params, struct_size: u32, 0);
assert_field!(vkv_paged_attention_params, flags: u32, 4);
assert_field!(vkv_paged_attention_params, query: vkv_tensor, 8);
assert_field!(vkv_paged_attention_params, out: vkv_tensor, 120);
assert_field!(vkv_paged_attention_params, lse: vkv_tensor, 232);
assert_field!(vkv_paged_attention_params, key_cache: vkv_tensor, 344);
assert_field!(vkv_paged_attention_params, value_cache: vkv_tensor, 456);
assert_field!(vkv_paged_attention_params, k_scale: vkv_tensor, 568);
assert_field!(vkv_paged_attention_params, v_scale: vkv_tensor, 680);
assert_field!(vkv_paged_attention_params, block_table: vkv_tensor, 792);
assert_field!(vkv_paged_attention_params, seq_lens: vkv_tensor, 904);
assert_field!(vkv_paged_attention_params, kv_indptr: vkv_tensor, 1016);
assert_field!(vkv_paged_attention_params, kv_indices: vkv_tensor, 1128);
assert_field!(vkv_paged_attention_params, kv_last_page_len: vkv_tensor, 1240);
assert_field!(vkv_paged_attention_params, query_start_loc: vkv_tensor, 1352);
assert_field!(vkv_paged_attention_params, alibi_slopes: vkv_tensor, 1464);
assert_field!(vkv_paged_attention_params, sinks: vkv_tensor, 1576);
assert_field!(vkv_paged_attention_params, softmax_scale: f32, 1688);
assert_field!(vkv_paged_attention_params, logit_softcap: f32, 1692);
assert_field!(vkv_paged_attention_params, sliding_window: i32, 1696);
assert_field!(vkv_paged_attention_params, cache_layout: i32, 1700);
assert_field!(vkv_paged_attention_params, nvfp4_v_scales: i32, 1704);
assert_field!(vkv_paged_attention_params, max_seq_len: i32, 1708);
assert_field!(vkv_paged_attention_params, max_query_len: i32, 1712);
assert_field!(vkv_paged_attention_params, tp_rank: i32, 1716);
assert_field!(vkv_paged_attention_params, blocksparse_local_blocks: i32, 1720);
assert_field!(vkv_paged_attention_params, blocksparse_vert_stride: i32, 1724);
assert_field!(vkv_paged_attention_params, blocksparse_block_size: i32, 1728);
assert_field!(vkv_paged_attention_params, blocksparse_head_sliding_step: i32, 1732);
assert_field!(vkv_paged_attention_params, workspace: *mut c_void, 1736);
assert_field!(vkv_paged_attention_params, workspace_size: u64, 1744);
init!(vkv_paged_attention_params);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_paged_attention_v1_params {
    pub struct_size: u32,
    pub flags: u32,
    pub out: vkv_tensor,
    pub query: vkv_tensor,
    pub key_cache: vkv_tensor,
    pub value_cache: vkv_tensor,
    pub k_scale: vkv_tensor,
    pub v_scale: vkv_tensor,
    pub block_tables: vkv_tensor,
    pub seq_lens: vkv_tensor,
    pub alibi_slopes: vkv_tensor,
    pub softmax_scale: f32,
    pub num_kv_heads: i32,
    pub block_size: i32,
    pub max_seq_len: i32,
    pub tp_rank: i32,
    pub blocksparse_local_blocks: i32,
    pub blocksparse_vert_stride: i32,
    pub blocksparse_block_size: i32,
    pub blocksparse_head_sliding_step: i32,
    pub reserved0: i32,
    pub workspace: *mut c_void,
    pub workspace_size: u64,
}
assert_size!(vkv_paged_attention_v1_params, 1072);
assert_field!(vkv_paged_attention_v1_params, struct_size: u32, 0);
assert_field!(vkv_paged_attention_v1_params, flags: u32, 4);
assert_field!(vkv_paged_attention_v1_params, out: vkv_tensor, 8);
assert_field!(vkv_paged_attention_v1_params, query: vkv_tensor, 120);
assert_field!(vkv_paged_attention_v1_params, key_cache: vkv_tensor, 232);
assert_field!(vkv_paged_attention_v1_params, value_cache: vkv_tensor, 344);
assert_field!(vkv_paged_attention_v1_params, k_scale: vkv_tensor, 456);
assert_field!(vkv_paged_attention_v1_params, v_scale: vkv_tensor, 568);
assert_field!(vkv_paged_attention_v1_params, block_tables: vkv_tensor, 680);
assert_field!(vkv_paged_attention_v1_params, seq_lens: vkv_tensor, 792);
assert_field!(vkv_paged_attention_v1_params, alibi_slopes: vkv_tensor, 904);
assert_field!(vkv_paged_attention_v1_params, softmax_scale: f32, 1016);
assert_field!(vkv_paged_attention_v1_params, num_kv_heads: i32, 1020);
assert_field!(vkv_paged_attention_v1_params, block_size: i32, 1024);
assert_field!(vkv_paged_attention_v1_params, max_seq_len: i32, 1028);
assert_field!(vkv_paged_attention_v1_params, tp_rank: i32, 1032);
assert_field!(vkv_paged_attention_v1_params, blocksparse_local_blocks: i32, 1036);
assert_field!(vkv_paged_attention_v1_params, blocksparse_vert_stride: i32, 1040);
assert_field!(vkv_paged_attention_v1_params, blocksparse_block_size: i32, 1044);
assert_field!(vkv_paged_attention_v1_params, blocksparse_head_sliding_step: i32, 1048);
assert_field!(vkv_paged_attention_v1_params, reserved0: i32, 1052);
assert_field!(vkv_paged_attention_v1_params, workspace: *mut c_void, 1056);
assert_field!(vkv_paged_attention_v1_params, workspace_size: u64, 1064);
init!(vkv_paged_attention_v1_params);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_paged_attention_v2_params {
    pub struct_size: u32,
    pub flags: u32,
    pub out: vkv_tensor,
    pub query: vkv_tensor,
    pub key_cache: vkv_tensor,
    pub value_cache: vkv_tensor,
    pub k_scale: vkv_tensor,
    pub v_scale: vkv_tensor,
    pub block_tables: vkv_tensor,
    pub seq_lens: vkv_tensor,
    pub alibi_slopes: vkv_tensor,
    pub exp_sums: vkv_tensor,
    pub max_logits: vkv_tensor,
    pub tmp_out: vkv_tensor,
    pub softmax_scale: f32,
    pub num_kv_heads: i32,
    pub block_size: i32,
    pub max_seq_len: i32,
    pub tp_rank: i32,
    pub blocksparse_local_blocks: i32,
    pub blocksparse_vert_stride: i32,
    pub blocksparse_block_size: i32,
    pub blocksparse_head_sliding_step: i32,
    pub reserved0: i32,
    pub workspace: *mut c_void,
    pub workspace_size: u64,
}
assert_size!(vkv_paged_attention_v2_params, 1408);
assert_field!(vkv_paged_attention_v2_params, struct_size: u32, 0);
assert_field!(vkv_paged_attention_v2_params, flags: u32, 4);
assert_field!(vkv_paged_attention_v2_params, out: vkv_tensor, 8);
assert_field!(vkv_paged_attention_v2_params, query: vkv_tensor, 120);
assert_field!(vkv_paged_attention_v2_params, key_cache: vkv_tensor, 232);
assert_field!(vkv_paged_attention_v2_params, value_cache: vkv_tensor, 344);
assert_field!(vkv_paged_attention_v2_params, k_scale: vkv_tensor, 456);
assert_field!(vkv_paged_attention_v2_params, v_scale: vkv_tensor, 568);
assert_field!(vkv_paged_attention_v2_params, block_tables: vkv_tensor, 680);
assert_field!(vkv_paged_attention_v2_params, seq_lens: vkv_tensor, 792);
assert_field!(vkv_paged_attention_v2_params, alibi_slopes: vkv_tensor, 904);
assert_field!(vkv_paged_attention_v2_params, exp_sums: vkv_tensor, 1016);
assert_field!(vkv_paged_attention_v2_params, max_logits: vkv_tensor, 1128);
assert_field!(vkv_paged_attention_v2_params, tmp_out: vkv_tensor, 1240);
assert_field!(vkv_paged_attention_v2_params, softmax_scale: f32, 1352);
assert_field!(vkv_paged_attention_v2_params, num_kv_heads: i32, 1356);
assert_field!(vkv_paged_attention_v2_params, block_size: i32, 1360);
assert_field!(vkv_paged_attention_v2_params, max_seq_len: i32, 1364);
assert_field!(vkv_paged_attention_v2_params, tp_rank: i32, 1368);
assert_field!(vkv_paged_attention_v2_params, blocksparse_local_blocks: i32, 1372);
assert_field!(vkv_paged_attention_v2_params, blocksparse_vert_stride: i32, 1376);
assert_field!(vkv_paged_attention_v2_params, blocksparse_block_size: i32, 1380);
assert_field!(vkv_paged_attention_v2_params, blocksparse_head_sliding_step: i32, 1384);
assert_field!(vkv_paged_attention_v2_params, reserved0: i32, 1388);
assert_field!(vkv_paged_attention_v2_params, workspace: *mut c_void, 1392);
assert_field!(vkv_paged_attention_v2_params, workspace_size: u64, 1400);
init!(vkv_paged_attention_v2_params);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_merge_attn_states_params {
    pub struct_size: u32,
    pub flags: u32,
    pub output: vkv_tensor,
    pub output_lse: vkv_tensor,
    pub prefix_output: vkv_tensor,
    pub prefix_lse: vkv_tensor,
    pub suffix_output: vkv_tensor,
    pub suffix_lse: vkv_tensor,
    pub output_scale: vkv_tensor,
    pub num_tokens_without_context: i64,
}
assert_size!(vkv_merge_attn_states_params, 800);
assert_field!(vkv_merge_attn_states_params, struct_size: u32, 0);
assert_field!(vkv_merge_attn_states_params, flags: u32, 4);
assert_field!(vkv_merge_attn_states_params, output: vkv_tensor, 8);
assert_field!(vkv_merge_attn_states_params, output_lse: vkv_tensor, 120);
assert_field!(vkv_merge_attn_states_params, prefix_output: vkv_tensor, 232);
assert_field!(vkv_merge_attn_states_params, prefix_lse: vkv_tensor, 344);
assert_field!(vkv_merge_attn_states_params, suffix_output: vkv_tensor, 456);
assert_field!(vkv_merge_attn_states_params, suffix_lse: vkv_tensor, 568);
assert_field!(vkv_merge_attn_states_params, output_scale: vkv_tensor, 680);
assert_field!(vkv_merge_attn_states_params, num_tokens_without_context: i64, 792);
init!(vkv_merge_attn_states_params);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_reshape_and_cache_params {
    pub struct_size: u32,
    pub flags: u32,
    pub key: vkv_tensor,
    pub value: vkv_tensor,
    pub key_cache: vkv_tensor,
    pub value_cache: vkv_tensor,
    pub slot_mapping: vkv_tensor,
    pub k_scale: vkv_tensor,
    pub v_scale: vkv_tensor,
}
assert_size!(vkv_reshape_and_cache_params, 792);
assert_field!(vkv_reshape_and_cache_params, struct_size: u32, 0);
assert_field!(vkv_reshape_and_cache_params, flags: u32, 4);
assert_field!(vkv_reshape_and_cache_params, key: vkv_tensor, 8);
assert_field!(vkv_reshape_and_cache_params, value: vkv_tensor, 120);
assert_field!(vkv_reshape_and_cache_params, key_cache: vkv_tensor, 232);
assert_field!(vkv_reshape_and_cache_params, value_cache: vkv_tensor, 344);
assert_field!(vkv_reshape_and_cache_params, slot_mapping: vkv_tensor, 456);
assert_field!(vkv_reshape_and_cache_params, k_scale: vkv_tensor, 568);
assert_field!(vkv_reshape_and_cache_params, v_scale: vkv_tensor, 680);
init!(vkv_reshape_and_cache_params);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_reshape_and_cache_flash_params {
    pub struct_size: u32,
    pub flags: u32,
    pub key: vkv_tensor,
    pub value: vkv_tensor,
    pub key_cache: vkv_tensor,
    pub value_cache: vkv_tensor,
    pub slot_mapping: vkv_tensor,
    pub k_scale: vkv_tensor,
    pub v_scale: vkv_tensor,
    pub nvfp4_v_scales: i32,
    pub reserved0: i32,
}
assert_size!(vkv_reshape_and_cache_flash_params, 800);
assert_field!(vkv_reshape_and_cache_flash_params, struct_size: u32, 0);
assert_field!(vkv_reshape_and_cache_flash_params, flags: u32, 4);
assert_field!(vkv_reshape_and_cache_flash_params, key: vkv_tensor, 8);
assert_field!(vkv_reshape_and_cache_flash_params, value: vkv_tensor, 120);
assert_field!(vkv_reshape_and_cache_flash_params, key_cache: vkv_tensor, 232);
assert_field!(vkv_reshape_and_cache_flash_params, value_cache: vkv_tensor, 344);
assert_field!(vkv_reshape_and_cache_flash_params, slot_mapping: vkv_tensor, 456);
assert_field!(vkv_reshape_and_cache_flash_params, k_scale: vkv_tensor, 568);
assert_field!(vkv_reshape_and_cache_flash_params, v_scale: vkv_tensor, 680);
assert_field!(vkv_reshape_and_cache_flash_params, nvfp4_v_scales: i32, 792);
assert_field!(vkv_reshape_and_cache_flash_params, reserved0: i32, 796);
init!(vkv_reshape_and_cache_flash_params);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_concat_and_cache_mla_params {
    pub struct_size: u32,
    pub flags: u32,
    pub kv_c: vkv_tensor,
    pub k_pe: vkv_tensor,
    pub kv_cache: vkv_tensor,
    pub slot_mapping: vkv_tensor,
    pub scale: vkv_tensor,
    pub scale_rule: i32,
    pub reserved0: i32,
}
assert_size!(vkv_concat_and_cache_mla_params, 576);
assert_field!(vkv_concat_and_cache_mla_params, struct_size: u32, 0);
assert_field!(vkv_concat_and_cache_mla_params, flags: u32, 4);
assert_field!(vkv_concat_and_cache_mla_params, kv_c: vkv_tensor, 8);
assert_field!(vkv_concat_and_cache_mla_params, k_pe: vkv_tensor, 120);
assert_field!(vkv_concat_and_cache_mla_params, kv_cache: vkv_tensor, 232);
assert_field!(vkv_concat_and_cache_mla_params, slot_mapping: vkv_tensor, 344);
assert_field!(vkv_concat_and_cache_mla_params, scale: vkv_tensor, 456);
assert_field!(vkv_concat_and_cache_mla_params, scale_rule: i32, 568);
assert_field!(vkv_concat_and_cache_mla_params, reserved0: i32, 572);
init!(vkv_concat_and_cache_mla_params);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_concat_and_cache_mla_rope_fused_params {
    pub struct_size: u32,
    pub flags: u32,
    pub positions: vkv_tensor,
    pub q_pe: vkv_tensor,
    pub k_pe: vkv_tensor,
    pub kv_c: vkv_tensor,
    pub cos_sin_cache: vkv_tensor,
    pub slot_mapping: vkv_tensor,
    pub kv_cache: vkv_tensor,
    pub kv_cache_scale: vkv_tensor,
    pub rope_style: i32,
    pub reserved0: i32,
}
assert_size!(vkv_concat_and_cache_mla_rope_fused_params, 912);
assert_field!(vkv_concat_and_cache_mla_rope_fused_params, struct_size: u32, 0);
assert_field!(vkv_concat_and_cache_mla_rope_fused_params, flags: u32, 4);
assert_field!(vkv_concat_and_cache_mla_rope_fused_params, positions: vkv_tensor, 8);
assert_field!(vkv_concat_and_cache_mla_rope_fused_params, q_pe: vkv_tensor, 120);
assert_field!(vkv_concat_and_cache_mla_rope_fused_params, k_pe: vkv_tensor, 232);
assert_field!(vkv_concat_and_cache_mla_rope_fused_params, kv_c: vkv_tensor, 344);
assert_field!(vkv_concat_and_cache_mla_rope_fused_params, cos_sin_cache: vkv_tensor, 456);
assert_field!(vkv_concat_and_cache_mla_rope_fused_params, slot_mapping: vkv_tensor, 568);
assert_field!(vkv_concat_and_cache_mla_rope_fused_params, kv_cache: vkv_tensor, 680);
assert_field!(vkv_concat_and_cache_mla_rope_fused_params, kv_cache_scale: vkv_tensor, 792);
assert_field!(vkv_concat_and_cache_mla_rope_fused_params, rope_style: i32, 904);
assert_field!(vkv_concat_and_cache_mla_rope_fused_params, reserved0: i32, 908);
init!(vkv_concat_and_cache_mla_rope_fused_params);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_convert_fp8_params {
    pub struct_size: u32,
    pub flags: u32,
    pub dst: vkv_tensor,
    pub src: vkv_tensor,
    pub scale: f64,
}
assert_size!(vkv_convert_fp8_params, 240);
assert_field!(vkv_convert_fp8_params, struct_size: u32, 0);
assert_field!(vkv_convert_fp8_params, flags: u32, 4);
assert_field!(vkv_convert_fp8_params, dst: vkv_tensor, 8);
assert_field!(vkv_convert_fp8_params, src: vkv_tensor, 120);
assert_field!(vkv_convert_fp8_params, scale: f64, 232);
init!(vkv_convert_fp8_params);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_gather_and_maybe_dequant_cache_params {
    pub struct_size: u32,
    pub flags: u32,
    pub src_cache: vkv_tensor,
    pub dst: vkv_tensor,
    pub block_table: vkv_tensor,
    pub cu_seq_lens: vkv_tensor,
    pub seq_starts: vkv_tensor,
    pub scale: vkv_tensor,
    pub num_tokens: i64,
}
assert_size!(vkv_gather_and_maybe_dequant_cache_params, 688);
assert_field!(vkv_gather_and_maybe_dequant_cache_params, struct_size: u32, 0);
assert_field!(vkv_gather_and_maybe_dequant_cache_params, flags: u32, 4);
assert_field!(vkv_gather_and_maybe_dequant_cache_params, src_cache: vkv_tensor, 8);
assert_field!(vkv_gather_and_maybe_dequant_cache_params, dst: vkv_tensor, 120);
assert_field!(vkv_gather_and_maybe_dequant_cache_params, block_table: vkv_tensor, 232);
assert_field!(vkv_gather_and_maybe_dequant_cache_params, cu_seq_lens: vkv_tensor, 344);
assert_field!(vkv_gather_and_maybe_dequant_cache_params, seq_starts: vkv_tensor, 456);
assert_field!(vkv_gather_and_maybe_dequant_cache_params, scale: vkv_tensor, 568);
assert_field!(vkv_gather_and_maybe_dequant_cache_params, num_tokens: i64, 680);
init!(vkv_gather_and_maybe_dequant_cache_params);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_cp_gather_cache_params {
    pub struct_size: u32,
    pub flags: u32,
    pub src_cache: vkv_tensor,
    pub dst: vkv_tensor,
    pub block_table: vkv_tensor,
    pub cu_seq_lens: vkv_tensor,
    pub seq_starts: vkv_tensor,
}
assert_size!(vkv_cp_gather_cache_params, 568);
assert_field!(vkv_cp_gather_cache_params, struct_size: u32, 0);
assert_field!(vkv_cp_gather_cache_params, flags: u32, 4);
assert_field!(vkv_cp_gather_cache_params, src_cache: vkv_tensor, 8);
assert_field!(vkv_cp_gather_cache_params, dst: vkv_tensor, 120);
assert_field!(vkv_cp_gather_cache_params, block_table: vkv_tensor, 232);
assert_field!(vkv_cp_gather_cache_params, cu_seq_lens: vkv_tensor, 344);
assert_field!(vkv_cp_gather_cache_params, seq_starts: vkv_tensor, 456);
init!(vkv_cp_gather_cache_params);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_cp_gather_and_upconvert_fp8_kv_cache_params {
    pub struct_size: u32,
    pub flags: u32,
    pub src_cache: vkv_tensor,
    pub dst: vkv_tensor,
    pub block_table: vkv_tensor,
    pub workspace_starts: vkv_tensor,
    pub seq_starts: vkv_tensor,
}
assert_size!(vkv_cp_gather_and_upconvert_fp8_kv_cache_params, 568);
assert_field!(vkv_cp_gather_and_upconvert_fp8_kv_cache_params, struct_size: u32, 0);
assert_field!(vkv_cp_gather_and_upconvert_fp8_kv_cache_params, flags: u32, 4);
assert_field!(vkv_cp_gather_and_upconvert_fp8_kv_cache_params, src_cache: vkv_tensor, 8);
assert_field!(vkv_cp_gather_and_upconvert_fp8_kv_cache_params, dst: vkv_tensor, 120);
assert_field!(vkv_cp_gather_and_upconvert_fp8_kv_cache_params, block_table: vkv_tensor, 232);
assert_field!(vkv_cp_gather_and_upconvert_fp8_kv_cache_params, workspace_starts: vkv_tensor, 344);
assert_field!(vkv_cp_gather_and_upconvert_fp8_kv_cache_params, seq_starts: vkv_tensor, 456);
init!(vkv_cp_gather_and_upconvert_fp8_kv_cache_params);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_indexer_k_quant_and_cache_params {
    pub struct_size: u32,
    pub flags: u32,
    pub k: vkv_tensor,
    pub kv_cache: vkv_tensor,
    pub slot_mapping: vkv_tensor,
    pub quant_block_size: i32,
    pub scale_rule: i32,
}
assert_size!(vkv_indexer_k_quant_and_cache_params, 352);
assert_field!(vkv_indexer_k_quant_and_cache_params, struct_size: u32, 0);
assert_field!(vkv_indexer_k_quant_and_cache_params, flags: u32, 4);
assert_field!(vkv_indexer_k_quant_and_cache_params, k: vkv_tensor, 8);
assert_field!(vkv_indexer_k_quant_and_cache_params, kv_cache: vkv_tensor, 120);
assert_field!(vkv_indexer_k_quant_and_cache_params, slot_mapping: vkv_tensor, 232);
assert_field!(vkv_indexer_k_quant_and_cache_params, quant_block_size: i32, 344);
assert_field!(vkv_indexer_k_quant_and_cache_params, scale_rule: i32, 348);
init!(vkv_indexer_k_quant_and_cache_params);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_cp_gather_indexer_k_quant_cache_params {
    pub struct_size: u32,
    pub flags: u32,
    pub kv_cache: vkv_tensor,
    pub dst_k: vkv_tensor,
    pub dst_scale: vkv_tensor,
    pub block_table: vkv_tensor,
    pub cu_seq_lens: vkv_tensor,
}
assert_size!(vkv_cp_gather_indexer_k_quant_cache_params, 568);
assert_field!(vkv_cp_gather_indexer_k_quant_cache_params, struct_size: u32, 0);
assert_field!(vkv_cp_gather_indexer_k_quant_cache_params, flags: u32, 4);
assert_field!(vkv_cp_gather_indexer_k_quant_cache_params, kv_cache: vkv_tensor, 8);
assert_field!(vkv_cp_gather_indexer_k_quant_cache_params, dst_k: vkv_tensor, 120);
assert_field!(vkv_cp_gather_indexer_k_quant_cache_params, dst_scale: vkv_tensor, 232);
assert_field!(vkv_cp_gather_indexer_k_quant_cache_params, block_table: vkv_tensor, 344);
assert_field!(vkv_cp_gather_indexer_k_quant_cache_params, cu_seq_lens: vkv_tensor, 456);
init!(vkv_cp_gather_indexer_k_quant_cache_params);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_concat_mla_q_params {
    pub struct_size: u32,
    pub flags: u32,
    pub ql_nope: vkv_tensor,
    pub q_pe: vkv_tensor,
    pub q_out: vkv_tensor,
}
assert_size!(vkv_concat_mla_q_params, 344);
assert_field!(vkv_concat_mla_q_params, struct_size: u32, 0);
assert_field!(vkv_concat_mla_q_params, flags: u32, 4);
assert_field!(vkv_concat_mla_q_params, ql_nope: vkv_tensor, 8);
assert_field!(vkv_concat_mla_q_params, q_pe: vkv_tensor, 120);
assert_field!(vkv_concat_mla_q_params, q_out: vkv_tensor, 232);
init!(vkv_concat_mla_q_params);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_swap_blocks_params {
    pub struct_size: u32,
    pub flags: u32,
    pub src: vkv_tensor,
    pub dst: vkv_tensor,
    pub block_mapping: vkv_tensor,
    pub max_sms: i32,
    pub reserved0: i32,
}
assert_size!(vkv_swap_blocks_params, 352);
assert_field!(vkv_swap_blocks_params, struct_size: u32, 0);
assert_field!(vkv_swap_blocks_params, flags: u32, 4);
assert_field!(vkv_swap_blocks_params, src: vkv_tensor, 8);
assert_field!(vkv_swap_blocks_params, dst: vkv_tensor, 120);
assert_field!(vkv_swap_blocks_params, block_mapping: vkv_tensor, 232);
assert_field!(vkv_swap_blocks_params, max_sms: i32, 344);
assert_field!(vkv_swap_blocks_params, reserved0: i32, 348);
init!(vkv_swap_blocks_params);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_swap_blocks_batch_params {
    pub struct_size: u32,
    pub flags: u32,
    pub src_ptrs: vkv_tensor,
    pub dst_ptrs: vkv_tensor,
    pub sizes: vkv_tensor,
    pub max_sms: i32,
    pub reserved0: i32,
}
assert_size!(vkv_swap_blocks_batch_params, 352);
assert_field!(vkv_swap_blocks_batch_params, struct_size: u32, 0);
assert_field!(vkv_swap_blocks_batch_params, flags: u32, 4);
assert_field!(vkv_swap_blocks_batch_params, src_ptrs: vkv_tensor, 8);
assert_field!(vkv_swap_blocks_batch_params, dst_ptrs: vkv_tensor, 120);
assert_field!(vkv_swap_blocks_batch_params, sizes: vkv_tensor, 232);
assert_field!(vkv_swap_blocks_batch_params, max_sms: i32, 344);
assert_field!(vkv_swap_blocks_batch_params, reserved0: i32, 348);
init!(vkv_swap_blocks_batch_params);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vkv_copy_blocks_params {
    pub struct_size: u32,
    pub flags: u32,
    pub key_caches: vkv_tensor,
    pub value_caches: vkv_tensor,
    pub block_mapping: vkv_tensor,
    pub num_blocks: i64,
    pub block_size_in_bytes: i64,
    pub block_stride_in_bytes: i64,
}
assert_size!(vkv_copy_blocks_params, 368);
assert_field!(vkv_copy_blocks_params, struct_size: u32, 0);
assert_field!(vkv_copy_blocks_params, flags: u32, 4);
assert_field!(vkv_copy_blocks_params, key_caches: vkv_tensor, 8);
assert_field!(vkv_copy_blocks_params, value_caches: vkv_tensor, 120);
assert_field!(vkv_copy_blocks_params, block_mapping: vkv_tensor, 232);
assert_field!(vkv_copy_blocks_params, num_blocks: i64, 344);
assert_field!(vkv_copy_blocks_params, block_size_in_bytes: i64, 352);
assert_field!(vkv_copy_blocks_params, block_stride_in_bytes: i64, 360);
init!(vkv_copy_blocks_params);

extern "C" {
    pub fn vkv_version() -> u32;
    pub fn vkv_build_info() -> *const c_char;
    pub fn vkv_status_string(status: vkv_status) -> *const c_char;
    pub fn vkv_last_error_message() -> *const c_char;
    pub fn vkv_dtype_string(dtype: vkv_dtype) -> *const c_char;
    pub fn vkv_context_create(params: *const vkv_context_params, ctx: *mut *mut vkv_context) -> vkv_status;
    pub fn vkv_context_destroy(ctx: *mut vkv_context);
    pub fn vkv_context_get_info(ctx: *const vkv_context, info: *mut vkv_context_info) -> vkv_status;
    pub fn vkv_op_string(op: i32) -> *const c_char;
    pub fn vkv_context_read_device_report(ctx: *const vkv_context, report: *mut vkv_device_report) -> vkv_status;
    pub fn vkv_paged_attention(ctx: *const vkv_context, params: *const vkv_paged_attention_params, stream: vkv_stream) -> vkv_status;
    pub fn vkv_paged_attention_workspace_size(ctx: *const vkv_context, params: *const vkv_paged_attention_params, bytes: *mut usize) -> vkv_status;
    pub fn vkv_paged_attention_supported(ctx: *const vkv_context, params: *const vkv_paged_attention_params) -> vkv_status;
    pub fn vkv_paged_attention_v1(ctx: *const vkv_context, params: *const vkv_paged_attention_v1_params, stream: vkv_stream) -> vkv_status;
    pub fn vkv_paged_attention_v1_workspace_size(ctx: *const vkv_context, params: *const vkv_paged_attention_v1_params, bytes: *mut usize) -> vkv_status;
    pub fn vkv_paged_attention_v1_supported(ctx: *const vkv_context, params: *const vkv_paged_attention_v1_params) -> vkv_status;
    pub fn vkv_paged_attention_v2(ctx: *const vkv_context, params: *const vkv_paged_attention_v2_params, stream: vkv_stream) -> vkv_status;
    pub fn vkv_paged_attention_v2_workspace_size(ctx: *const vkv_context, params: *const vkv_paged_attention_v2_params, bytes: *mut usize) -> vkv_status;
    pub fn vkv_paged_attention_v2_supported(ctx: *const vkv_context, params: *const vkv_paged_attention_v2_params) -> vkv_status;
    pub fn vkv_merge_attn_states(ctx: *const vkv_context, params: *const vkv_merge_attn_states_params, stream: vkv_stream) -> vkv_status;
    pub fn vkv_merge_attn_states_supported(ctx: *const vkv_context, params: *const vkv_merge_attn_states_params) -> vkv_status;
    pub fn vkv_reshape_and_cache(ctx: *const vkv_context, params: *const vkv_reshape_and_cache_params, stream: vkv_stream) -> vkv_status;
    pub fn vkv_reshape_and_cache_supported(ctx: *const vkv_context, params: *const vkv_reshape_and_cache_params) -> vkv_status;
    pub fn vkv_reshape_and_cache_flash(ctx: *const vkv_context, params: *const vkv_reshape_and_cache_flash_params, stream: vkv_stream) -> vkv_status;
    pub fn vkv_reshape_and_cache_flash_supported(ctx: *const vkv_context, params: *const vkv_reshape_and_cache_flash_params) -> vkv_status;
    pub fn vkv_concat_and_cache_mla(ctx: *const vkv_context, params: *const vkv_concat_and_cache_mla_params, stream: vkv_stream) -> vkv_status;
    pub fn vkv_concat_and_cache_mla_supported(ctx: *const vkv_context, params: *const vkv_concat_and_cache_mla_params) -> vkv_status;
    pub fn vkv_concat_and_cache_mla_rope_fused(ctx: *const vkv_context, params: *const vkv_concat_and_cache_mla_rope_fused_params, stream: vkv_stream) -> vkv_status;
    pub fn vkv_concat_and_cache_mla_rope_fused_supported(ctx: *const vkv_context, params: *const vkv_concat_and_cache_mla_rope_fused_params) -> vkv_status;
    pub fn vkv_convert_fp8(ctx: *const vkv_context, params: *const vkv_convert_fp8_params, stream: vkv_stream) -> vkv_status;
    pub fn vkv_convert_fp8_supported(ctx: *const vkv_context, params: *const vkv_convert_fp8_params) -> vkv_status;
    pub fn vkv_gather_and_maybe_dequant_cache(ctx: *const vkv_context, params: *const vkv_gather_and_maybe_dequant_cache_params, stream: vkv_stream) -> vkv_status;
    pub fn vkv_gather_and_maybe_dequant_cache_supported(ctx: *const vkv_context, params: *const vkv_gather_and_maybe_dequant_cache_params) -> vkv_status;
    pub fn vkv_cp_gather_cache(ctx: *const vkv_context, params: *const vkv_cp_gather_cache_params, stream: vkv_stream) -> vkv_status;
    pub fn vkv_cp_gather_cache_supported(ctx: *const vkv_context, params: *const vkv_cp_gather_cache_params) -> vkv_status;
    pub fn vkv_cp_gather_and_upconvert_fp8_kv_cache(ctx: *const vkv_context, params: *const vkv_cp_gather_and_upconvert_fp8_kv_cache_params, stream: vkv_stream) -> vkv_status;
    pub fn vkv_cp_gather_and_upconvert_fp8_kv_cache_supported(ctx: *const vkv_context, params: *const vkv_cp_gather_and_upconvert_fp8_kv_cache_params) -> vkv_status;
    pub fn vkv_indexer_k_quant_and_cache(ctx: *const vkv_context, params: *const vkv_indexer_k_quant_and_cache_params, stream: vkv_stream) -> vkv_status;
    pub fn vkv_indexer_k_quant_and_cache_supported(ctx: *const vkv_context, params: *const vkv_indexer_k_quant_and_cache_params) -> vkv_status;
    pub fn vkv_cp_gather_indexer_k_quant_cache(ctx: *const vkv_context, params: *const vkv_cp_gather_indexer_k_quant_cache_params, stream: vkv_stream) -> vkv_status;
    pub fn vkv_cp_gather_indexer_k_quant_cache_supported(ctx: *const vkv_context, params: *const vkv_cp_gather_indexer_k_quant_cache_params) -> vkv_status;
    pub fn vkv_concat_mla_q(ctx: *const vkv_context, params: *const vkv_concat_mla_q_params, stream: vkv_stream) -> vkv_status;
    pub fn vkv_concat_mla_q_supported(ctx: *const vkv_context, params: *const vkv_concat_mla_q_params) -> vkv_status;
    pub fn vkv_swap_blocks(ctx: *const vkv_context, params: *const vkv_swap_blocks_params, stream: vkv_stream) -> vkv_status;
    pub fn vkv_swap_blocks_supported(ctx: *const vkv_context, params: *const vkv_swap_blocks_params) -> vkv_status;
    pub fn vkv_swap_blocks_batch(ctx: *const vkv_context, params: *const vkv_swap_blocks_batch_params, stream: vkv_stream) -> vkv_status;
    pub fn vkv_swap_blocks_batch_supported(ctx: *const vkv_context, params: *const vkv_swap_blocks_batch_params) -> vkv_status;
    pub fn vkv_copy_blocks(ctx: *const vkv_context, params: *const vkv_copy_blocks_params, stream: vkv_stream) -> vkv_status;
    pub fn vkv_copy_blocks_supported(ctx: *const vkv_context, params: *const vkv_copy_blocks_params) -> vkv_status;
}
