//! Each operation of a case, with every field by its name, and the call.
use vkv::*;

use crate::arguments::Arguments;
use crate::case::Case;

/// How the library answered; the outer error is a mistake in the case.
pub type Answer = Result<vkv::Result<()>, String>;

fn run<O: ViewOperation>(mut operation: O, context: &Context, a: &Arguments<'_>) -> Answer {
    a.finish()?;
    Ok(context.run(&mut operation, Stream::DEFAULT))
}

/// The addresses in golden cases are invented; the cases with them copy nothing.
fn run_addresses<O: Operation>(mut operation: O, context: &Context, a: &Arguments<'_>) -> Answer {
    a.finish()?;
    Ok(unsafe { context.run_unchecked(&mut operation, Stream::DEFAULT) })
}

/// With as much workspace as is needed, or said to have the size that the case gives.
fn attend<O, Set>(mut operation: O, set: Set, context: &Context, a: &mut Arguments<'_>) -> Answer
where
    O: AttentionOperation + ViewOperation,
    Set: FnOnce(&mut O, WorkspaceView<'static>),
{
    let given = a.given("workspace_size")?;
    a.finish()?;
    let needed = context.workspace_size(&operation).unwrap_or(0); // 0 where the call itself will be refused
    let mut memory = vec![0xffu8; needed + 256];
    let offset = memory.as_ptr().align_offset(256);
    let data = if needed == 0 { std::ptr::null_mut() } else { memory[offset..].as_mut_ptr().cast() };
    set(&mut operation, unsafe { WorkspaceView::from_raw(data, given.unwrap_or(needed as u64)) });
    Ok(context.run(&mut operation, Stream::DEFAULT))
}

pub fn call(context: &Context, case: &Case, a: &mut Arguments<'_>) -> Answer {
    match case.op.as_str() {
        "paged_attention" => attend(
            PagedAttention {
                query: a.input("query")?,
                out: a.output("out")?,
                lse: a.output("lse")?,
                key_cache: a.input("key_cache")?,
                value_cache: a.input("value_cache")?,
                k_scale: a.input("k_scale")?,
                v_scale: a.input("v_scale")?,
                block_table: a.input("block_table")?,
                seq_lens: a.input("seq_lens")?,
                kv_indptr: a.input("kv_indptr")?,
                kv_indices: a.input("kv_indices")?,
                kv_last_page_len: a.input("kv_last_page_len")?,
                query_start_loc: a.input("query_start_loc")?,
                alibi_slopes: a.input("alibi_slopes")?,
                sinks: a.input("sinks")?,
                softmax_scale: a.number("softmax_scale")?,
                logit_softcap: a.number("logit_softcap")?,
                sliding_window: a.number("sliding_window")?,
                cache_layout: CacheLayout(a.number("cache_layout")?),
                nvfp4_v_scales: Nvfp4Scales(a.number("nvfp4_v_scales")?),
                max_seq_len: a.number("max_seq_len")?,
                max_query_len: a.number("max_query_len")?,
                tp_rank: a.number("tp_rank")?,
                blocksparse_local_blocks: a.number("blocksparse_local_blocks")?,
                blocksparse_vert_stride: a.number("blocksparse_vert_stride")?,
                blocksparse_block_size: a.number("blocksparse_block_size")?,
                blocksparse_head_sliding_step: a.number("blocksparse_head_sliding_step")?,
                workspace: WorkspaceView::default(),
            },
            |operation, workspace| operation.workspace = workspace,
            context,
            a,
        ),
        "paged_attention_v1" => attend(
            PagedAttentionV1 {
                out: a.output("out")?,
                query: a.input("query")?,
                key_cache: a.input("key_cache")?,
                value_cache: a.input("value_cache")?,
                k_scale: a.input("k_scale")?,
                v_scale: a.input("v_scale")?,
                block_tables: a.input("block_tables")?,
                seq_lens: a.input("seq_lens")?,
                alibi_slopes: a.input("alibi_slopes")?,
                softmax_scale: a.number("softmax_scale")?,
                num_kv_heads: a.number("num_kv_heads")?,
                block_size: a.number("block_size")?,
                max_seq_len: a.number("max_seq_len")?,
                tp_rank: a.number("tp_rank")?,
                blocksparse_local_blocks: a.number("blocksparse_local_blocks")?,
                blocksparse_vert_stride: a.number("blocksparse_vert_stride")?,
                blocksparse_block_size: a.number("blocksparse_block_size")?,
                blocksparse_head_sliding_step: a.number("blocksparse_head_sliding_step")?,
                workspace: WorkspaceView::default(),
            },
            |operation, workspace| operation.workspace = workspace,
            context,
            a,
        ),
        "paged_attention_v2" => attend(
            PagedAttentionV2 {
                out: a.output("out")?,
                query: a.input("query")?,
                key_cache: a.input("key_cache")?,
                value_cache: a.input("value_cache")?,
                k_scale: a.input("k_scale")?,
                v_scale: a.input("v_scale")?,
                block_tables: a.input("block_tables")?,
                seq_lens: a.input("seq_lens")?,
                alibi_slopes: a.input("alibi_slopes")?,
                exp_sums: a.output("exp_sums")?,
                max_logits: a.output("max_logits")?,
                tmp_out: a.output("tmp_out")?,
                softmax_scale: a.number("softmax_scale")?,
                num_kv_heads: a.number("num_kv_heads")?,
                block_size: a.number("block_size")?,
                max_seq_len: a.number("max_seq_len")?,
                tp_rank: a.number("tp_rank")?,
                blocksparse_local_blocks: a.number("blocksparse_local_blocks")?,
                blocksparse_vert_stride: a.number("blocksparse_vert_stride")?,
                blocksparse_block_size: a.number("blocksparse_block_size")?,
                blocksparse_head_sliding_step: a.number("blocksparse_head_sliding_step")?,
                workspace: WorkspaceView::default(),
            },
            |operation, workspace| operation.workspace = workspace,
            context,
            a,
        ),
        "merge_attn_states" => run(
            MergeAttnStates {
                output: a.output("output")?,
                output_lse: a.output("output_lse")?,
                prefix_output: a.input("prefix_output")?,
                prefix_lse: a.input("prefix_lse")?,
                suffix_output: a.input("suffix_output")?,
                suffix_lse: a.input("suffix_lse")?,
                output_scale: a.input("output_scale")?,
                num_tokens_without_context: a.number("num_tokens_without_context")?,
            },
            context,
            a,
        ),
        "reshape_and_cache" => run(
            ReshapeAndCache {
                key: a.input("key")?,
                value: a.input("value")?,
                key_cache: a.output("key_cache")?,
                value_cache: a.output("value_cache")?,
                slot_mapping: a.input("slot_mapping")?,
                k_scale: a.input("k_scale")?,
                v_scale: a.input("v_scale")?,
            },
            context,
            a,
        ),
        "reshape_and_cache_flash" => run(
            ReshapeAndCacheFlash {
                key: a.input("key")?,
                value: a.input("value")?,
                key_cache: a.output("key_cache")?,
                value_cache: a.output("value_cache")?,
                slot_mapping: a.input("slot_mapping")?,
                k_scale: a.input("k_scale")?,
                v_scale: a.input("v_scale")?,
                nvfp4_v_scales: Nvfp4Scales(a.number("nvfp4_v_scales")?),
            },
            context,
            a,
        ),
        "concat_and_cache_mla" => run(
            ConcatAndCacheMla {
                kv_c: a.input("kv_c")?,
                k_pe: a.input("k_pe")?,
                kv_cache: a.output("kv_cache")?,
                slot_mapping: a.input("slot_mapping")?,
                scale: a.input("scale")?,
                scale_rule: ScaleRule(a.number("scale_rule")?),
            },
            context,
            a,
        ),
        "concat_and_cache_mla_rope_fused" => run(
            ConcatAndCacheMlaRopeFused {
                positions: a.input("positions")?,
                q_pe: a.output("q_pe")?,
                k_pe: a.output("k_pe")?,
                kv_c: a.input("kv_c")?,
                cos_sin_cache: a.input("cos_sin_cache")?,
                slot_mapping: a.input("slot_mapping")?,
                kv_cache: a.output("kv_cache")?,
                kv_cache_scale: a.input("kv_cache_scale")?,
                rope_style: RopeStyle(a.number("rope_style")?),
            },
            context,
            a,
        ),
        "concat_mla_q" => run(
            ConcatMlaQ { ql_nope: a.input("ql_nope")?, q_pe: a.input("q_pe")?, q_out: a.output("q_out")? },
            context,
            a,
        ),
        "convert_fp8" => {
            run(ConvertFp8 { dst: a.output("dst")?, src: a.input("src")?, scale: a.number("scale")? }, context, a)
        }
        "gather_and_maybe_dequant_cache" => run(
            GatherAndMaybeDequantCache {
                src_cache: a.input("src_cache")?,
                dst: a.output("dst")?,
                block_table: a.input("block_table")?,
                cu_seq_lens: a.input("cu_seq_lens")?,
                seq_starts: a.input("seq_starts")?,
                scale: a.input("scale")?,
                num_tokens: a.number("num_tokens")?,
            },
            context,
            a,
        ),
        "cp_gather_cache" => run(
            CpGatherCache {
                src_cache: a.input("src_cache")?,
                dst: a.output("dst")?,
                block_table: a.input("block_table")?,
                cu_seq_lens: a.input("cu_seq_lens")?,
                seq_starts: a.input("seq_starts")?,
            },
            context,
            a,
        ),
        "cp_gather_and_upconvert_fp8_kv_cache" => run(
            CpGatherAndUpconvertFp8KvCache {
                src_cache: a.input("src_cache")?,
                dst: a.output("dst")?,
                block_table: a.input("block_table")?,
                workspace_starts: a.input("workspace_starts")?,
                seq_starts: a.input("seq_starts")?,
            },
            context,
            a,
        ),
        "indexer_k_quant_and_cache" => run(
            IndexerKQuantAndCache {
                k: a.input("k")?,
                kv_cache: a.output("kv_cache")?,
                slot_mapping: a.input("slot_mapping")?,
                quant_block_size: a.number("quant_block_size")?,
                scale_rule: ScaleRule(a.number("scale_rule")?),
            },
            context,
            a,
        ),
        "cp_gather_indexer_k_quant_cache" => run(
            CpGatherIndexerKQuantCache {
                kv_cache: a.input("kv_cache")?,
                dst_k: a.output("dst_k")?,
                dst_scale: a.output("dst_scale")?,
                block_table: a.input("block_table")?,
                cu_seq_lens: a.input("cu_seq_lens")?,
            },
            context,
            a,
        ),
        "swap_blocks" => run(
            SwapBlocks {
                src: a.input("src")?,
                dst: a.output("dst")?,
                block_mapping: a.input("block_mapping")?,
                max_sms: a.number("max_sms")?,
            },
            context,
            a,
        ),
        "swap_blocks_batch" => run_addresses(
            SwapBlocksBatch {
                src_ptrs: a.input("src_ptrs")?,
                dst_ptrs: a.input("dst_ptrs")?,
                sizes: a.input("sizes")?,
                max_sms: a.number("max_sms")?,
                flags: a.number("flags")?,
            },
            context,
            a,
        ),
        "copy_blocks" => run_addresses(
            CopyBlocks {
                key_caches: a.input("key_caches")?,
                value_caches: a.input("value_caches")?,
                block_mapping: a.input("block_mapping")?,
                num_blocks: a.number("num_blocks")?,
                block_size_in_bytes: a.number("block_size_in_bytes")?,
                block_stride_in_bytes: a.number("block_stride_in_bytes")?,
            },
            context,
            a,
        ),
        other => Err(format!("there is no operation {}", other)),
    }
}
